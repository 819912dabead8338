import { describe, expect, it } from 'vitest';
import { lagOf } from './lag.ts';

describe('lagOf', () => {
  it.each([
    [
      'unknown without a position',
      { position: undefined, end: 9n, oldestMs: 1 },
      { records: undefined, seconds: undefined },
    ],
    [
      'unknown without an end',
      { position: 9n, end: undefined, oldestMs: 1 },
      { records: undefined, seconds: undefined },
    ],
    [
      'zero at the end',
      { position: 9n, end: 9n, oldestMs: undefined },
      { records: 0n, seconds: 0 },
    ],
    [
      'zero beyond an end that is out of date',
      { position: 11n, end: 9n, oldestMs: undefined },
      { records: 0n, seconds: 0 },
    ],
    [
      'of unknown age while the record was not fetched',
      { position: 4n, end: 9n, oldestMs: undefined },
      { records: 5n, seconds: undefined },
    ],
    [
      'the age of the oldest',
      { position: 4n, end: 9n, oldestMs: 7_500 },
      { records: 5n, seconds: 2.5 },
    ],
  ])('is %s', (_, facts, lag) => {
    expect(lagOf(facts, 10_000)).toEqual(lag);
  });
});
