import { describe, expect, it } from 'vitest';
import { isCaughtUp, openLane, recordsBelow } from './lane.ts';

const range = { topic: 't', partition: 3, low: 10n, high: 20n };

describe('a lane', () => {
  it('begins at the position, or at the first offset that is left, and says how much was missed', () => {
    expect(openLane(range, 15n, 0)).toMatchObject({
      lane: { fetchOffset: 15n, doneOffset: 15n, end: 20n },
      overtaken: 0n,
    });
    expect(openLane(range, 4n, 0)).toMatchObject({ lane: { fetchOffset: 10n }, overtaken: 6n });
  });

  it('refuses a position behind the end', () => {
    expect(() => openLane(range, 21n, 0)).toThrow('t/3 ends at offset 20');
  });

  it('has caught up at the end that was there when it began', () => {
    expect(isCaughtUp(openLane(range, 19n, 0).lane)).toBe(false);
    expect(isCaughtUp(openLane(range, 20n, 0).lane)).toBe(true);
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
    }));
    expect(recordsBelow(records, 20n).map(({ offset }) => offset)).toEqual([18n, 19n]);
    expect(recordsBelow(records, 22n)).toBe(records);
    expect(recordsBelow([], 22n)).toEqual([]);
  });
});
