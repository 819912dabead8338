import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupMoves, parseMoment, parsePlace, refuseRunningGroup } from './group-plan.ts';

const range = (partition: number, low: bigint, high: bigint) => ({
  partition,
  low,
  high,
  leader: 1,
  replicas: [1],
});

describe('a group that is set back', () => {
  test('is told what comes again, what it passes over, and where nothing is known', () => {
    const ranges = [range(0, 0n, 100n), range(1, 50n, 100n), range(2, 0n, 10n), range(3, 0n, 9n)];
    const committed = new Map([
      [0, 80n],
      [1, 60n],
      [3, 2n],
    ]);
    const targets = [0, 1, 2, 3].map((partition) => ({ partition, offset: 20n }));
    expect(groupMoves(ranges, committed, targets)).toEqual([
      { partition: 0, from: 80n, to: 20n, again: 60n },
      { partition: 1, from: 60n, to: 50n, again: 10n },
      { partition: 2, from: null, to: 10n, again: null },
      { partition: 3, from: 2n, to: 9n, again: -7n },
    ]);
  });

  test('never leaves what is there, and partitions that are not named stay', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 50n }),
        fc.bigInt({ min: 0n, max: 50n }),
        fc.bigInt({ min: 0n, max: 200n }),
        fc.bigInt({ min: 0n, max: 100n }),
        (low, length, offset, at) => {
          const [move, ...rest] = groupMoves(
            [range(0, low, low + length), range(1, 0n, 5n)],
            new Map([[0, at]]),
            [{ partition: 0, offset }],
          );
          expect(rest).toEqual([]);
          expect(move?.to).toBeGreaterThanOrEqual(low);
          expect(move?.to).toBeLessThanOrEqual(low + length);
          expect(move?.again).toBeLessThanOrEqual(length > at ? length : at);
        },
      ),
    );
  });

  test('must have no members; the error names them', () => {
    const facts = {
      group: 'billing',
      state: 'Stable',
      protocolType: 'consumer',
      members: [{ id: '1', clientId: 'billing-7', host: '10.0.0.7' }],
    };
    expect(() => refuseRunningGroup(facts)).toThrow(
      'group billing is Stable with 1 members (billing-7 at 10.0.0.7)',
    );
    refuseRunningGroup({ ...facts, state: 'Empty', members: [] });
    refuseRunningGroup(undefined);
  });
});

describe('a place', () => {
  test('is a time, an offset or an event', () => {
    expect(parsePlace({ toTime: '2026-03-01T12:00:00+01:00' })).toEqual({
      kind: 'time',
      timeMs: Date.parse('2026-03-01T11:00:00Z'),
    });
    expect(parsePlace({ toOffset: '17' })).toEqual({ kind: 'offset', offset: 17n });
    expect(parsePlace({ toEvent: 'ABC' })).toEqual({ kind: 'event', eid: 'abc' });
    expect(parseMoment('--from', '1700000000000')).toBe(1_700_000_000_000);
  });

  test.each([
    [{}, 'say one of'],
    [{ toTime: '2026-03-01T12:00:00Z', toOffset: '1' }, 'and no more'],
    [{ toOffset: '-1' }, '--to-offset -1 is no offset'],
    [{ toTime: 'yesterday' }, '--to-time yesterday is not a time'],
    [{ toTime: '2026-03-01T12:00:00' }, 'is not a time'],
  ])('%j is refused', (options, message) => {
    expect(() => parsePlace(options)).toThrow(message);
  });
});
