import { describe, expect, it } from 'vitest';
import type { FaultRow } from './fault-row.ts';
import { reliabilityTable, tableMarkers, withTable } from './reliability-table.ts';
import { isSound, rowResult } from './row-result.ts';

const row = (number: number): FaultRow => ({
  number,
  fault: `fault ${number}`,
  expected: 'nothing is lost',
  seeds: 2,
  inCi: false,
  run: async () => Promise.resolve({ bit: '', judged: [] }),
});
const about = { date: '2026-01-02', product: 'abc1234', node: '20.19.0', seconds: 3 };
const holds = { promise: 'I1', holds: true, found: '7 events, 0 lost' };
const breaks = { promise: 'I1', holds: false, found: 'event 9 is nowhere' };
const outcome = (...judged: (typeof holds)[]) => ({ bit: '12 bytes dropped', judged });

describe('the result of a row', () => {
  it('is sound where every round was carried out and kept its promises', () => {
    const result = rowResult(
      row(1),
      [
        { seed: 5, outcome: { ...outcome(holds), figures: { events: 3 } } },
        { seed: 6, outcome: { ...outcome(holds), figures: { events: 1200 } } },
      ],
      about,
    );
    expect(isSound(result)).toBe(true);
    expect(result).toMatchObject({ firstSeed: 5, rounds: 2, figures: { events: '3–1,200' } });
  });

  it('counts the rounds that broke a promise and shows the first one in its words', () => {
    const result = rowResult(
      row(1),
      [
        { seed: 5, outcome: outcome(holds) },
        { seed: 6, outcome: outcome(breaks) },
        { seed: 7, outcome: outcome(holds) },
      ],
      about,
    );
    expect(isSound(result)).toBe(false);
    expect(result.judged).toEqual([{ promise: 'I1', broken: 1, found: 'event 9 is nowhere' }]);
  });

  it('is not sound where a round failed, or where there was none', () => {
    const failed = rowResult(row(1), [{ seed: 5, failure: 'the fault hit nothing' }], about);
    expect(isSound(failed)).toBe(false);
    expect(failed.failures).toEqual([{ seed: 5, what: 'the fault hit nothing' }]);
    expect(isSound(rowResult(row(1), [], about))).toBe(false);
  });
});

describe('the table', () => {
  const results = [
    rowResult(row(1), [{ seed: 5, outcome: outcome(holds) }], about),
    rowResult(row(2), [{ seed: 5, outcome: outcome(breaks) }], about),
  ];
  const table = reliabilityTable([row(1), row(2), { ...row(3), fault: 'a | b' }], results);

  it('shows broken promises and rows without a run as what they are', () => {
    expect(table).toContain('1 of 3 rows ran and kept every promise, 1 did not, 1 were not run');
    expect(table).toContain('**I1 broken in 1 of 1**: event 9 is nowhere');
    expect(table).toContain('| 3 | a \\| b | – | not run |');
  });

  it('stands between its markers, and what is around it stays', () => {
    const page = `before\n${tableMarkers.begin}\nold\n${tableMarkers.end}\nafter\n`;
    const written = withTable(page, table);
    expect(written).toContain(table);
    expect(written).not.toContain('old');
    expect(withTable(written, table)).toBe(written);
    expect(() => withTable('no markers', table)).toThrow(tableMarkers.begin);
  });
});
