import { describe, expect, it } from 'vitest';
import { isCaughtUp, isGood, openLane, recordsBelow } from './lane.ts';

const range = { topic: 't', partition: 3, low: 10n, high: 20n };

describe('a lane', () => {
  it('begins at the position, or at the first offset that is left, and says how much was missed', () => {
    expect(openLane(range, 15n, 0)).toMatchObject({
      lane: { doneOffset: 15n, end: 20n },
      overtaken: 0n,
    });
    expect(openLane(range, 4n, 0)).toMatchObject({ lane: { doneOffset: 10n }, overtaken: 6n });
  });

  it('refuses a position behind the end', () => {
    expect(() => openLane(range, 21n, 0)).toThrow('t/3 ends at offset 20');
  });

  it('has caught up at the end that was there when it began', () => {
    expect(isCaughtUp(openLane(range, 19n, 0).lane)).toBe(false);
    expect(isCaughtUp(openLane(range, 20n, 0).lane)).toBe(true);
  });

  it('knows an answer that shows that reading goes on, from one that waits for a transaction or for a lost end', () => {
    const { lane } = openLane(range, 15n, 0);
    const answer = (from: bigint, next: bigint, lastStableOffset: bigint) =>
      isGood({ from, next, lastStableOffset }, lane);
    expect(answer(15n, 16n, 30n)).toBe(true);
    expect(answer(16n, 16n, 16n)).toBe(false);
    expect(answer(16n, 16n, 30n)).toBe(false);
    expect(answer(20n, 20n, 20n)).toBe(true);
    // Behind the end that is to be reached, an open transaction is no news.
    expect(answer(25n, 25n, 25n)).toBe(true);
  });

  it('cuts records off at the end', () => {
    const records = [18n, 19n, 20n, 21n].map((offset) => ({
      topic: 't',
      partition: 3,
      offset,
      timestampMs: 0,
      key: null,
      value: null,
      headers: {},
      headerList: () => [],
    }));
    expect(recordsBelow(records, 20n).map(({ offset }) => offset)).toEqual([18n, 19n]);
    expect(recordsBelow(records, 22n)).toBe(records);
    expect(recordsBelow([], 22n)).toEqual([]);
  });
});
