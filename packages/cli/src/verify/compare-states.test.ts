import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareStates, decide, isWithin, type EarlierRow } from './compare-states.ts';
import type { RecordState, RowState } from './entity-states.ts';

const a = { high: 1, low: 2 };
const b = { high: 1, low: 3 };
const none = { form: 'none' } as const;
const tombstone = { form: 'tombstone' } as const;
const unreadable = { form: 'unreadable' } as const;
const value = (version: number, hash = a): RecordState => ({ form: 'value', version, hash });
const live = (version: number, hash = a): RowState => ({ form: 'live', version, hash });
const deleted = (version: number): RowState => ({ form: 'deleted', version });

test.each<[string | undefined, RecordState, RowState]>([
  [undefined, value(3), live(3)],
  [undefined, tombstone, deleted(3)],
  [undefined, none, deleted(3)],
  [undefined, tombstone, none],
  [undefined, none, none],
  ['missing', none, live(1)],
  ['missing', tombstone, live(4)],
  ['stale', value(2, b), live(3)],
  ['ahead', value(4), live(3)],
  ['altered', value(3, b), live(3)],
  ['undeleted', value(3), deleted(4)],
  ['undeleted', value(9), deleted(4)],
  ['ghost', value(1), none],
  ['unreadable', unreadable, live(1)],
  ['unreadable', unreadable, deleted(1)],
  ['unreadable', unreadable, none],
])('%s: record %j, row %j', (kind, record, row) => {
  expect(compareStates(record, row)).toBe(kind);
});

const hash = fc.constantFrom(a, b);
const version = fc.integer({ min: 1, max: 5 });
const anyRecord: fc.Arbitrary<RecordState> = fc.oneof(
  fc.constant(none),
  fc.constant(tombstone),
  fc.constant(unreadable),
  fc.record({ form: fc.constant('value' as const), version, hash }),
);
const anyRow: fc.Arbitrary<RowState> = fc.oneof(
  fc.constant(none),
  fc.record({ form: fc.constant('deleted' as const), version }),
  fc.record({ form: fc.constant('live' as const), version, hash }),
);
const asEarlier = (row: RowState): EarlierRow =>
  row.form === 'none' ? row : { form: row.form, version: row.version };

describe('decide', () => {
  test('says nothing of a row that changed, whatever the record says', () => {
    fc.assert(
      fc.property(anyRow, anyRecord, anyRow, fc.boolean(), (before, record, after, wasSuspect) => {
        fc.pre(JSON.stringify(asEarlier(before)) !== JSON.stringify(asEarlier(after)));
        expect(decide(asEarlier(before), record, after, { wasSuspect })).toBe('busy');
      }),
    );
  });

  test('of a row that did not, says in the second round what comparing says', () => {
    fc.assert(
      fc.property(anyRecord, anyRow, (record, row) => {
        expect(decide(asEarlier(row), record, row, { wasSuspect: true })).toBe(
          compareStates(record, row) ?? 'same',
        );
      }),
    );
  });

  test('waits for a second round where a later change explains the record, and only there', () => {
    fc.assert(
      fc.property(anyRecord, anyRow, (record, row) => {
        const first = decide(asEarlier(row), record, row, { wasSuspect: false });
        const isLater =
          (record.form === 'tombstone' && row.form === 'live') ||
          (record.form === 'value' && (row.form === 'none' || record.version > row.version));
        expect(first === 'suspect').toBe(isLater && compareStates(record, row) !== undefined);
      }),
    );
  });
});

test('a version is within what a row went through, if the row can have lived with it in between', () => {
  expect([1, 2, 3, 4].map((each) => isWithin({ form: 'live', version: 2 }, each, live(3)))).toEqual(
    [false, true, true, false],
  );
  expect([2, 3, 4].map((each) => isWithin({ form: 'deleted', version: 2 }, each, live(3)))).toEqual(
    [false, true, false],
  );
  expect([2, 3].map((each) => isWithin({ form: 'live', version: 2 }, each, deleted(3)))).toEqual([
    true,
    false,
  ]);
  expect([1, 2].map((each) => isWithin(none, each, live(1)))).toEqual([true, false]);
  expect(isWithin({ form: 'live', version: 2 }, 2, none)).toBe(false);
});
