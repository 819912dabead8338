import { describe, expect, it } from 'vitest';
import { resumePlan } from './resume-plan.ts';

const plan = (offsets: [number, bigint][], ends: [number, bigint][], ageMs: number) =>
  resumePlan(
    { offsets: new Map(offsets), currentAtMs: 10_000 - ageMs },
    { ends: new Map(ends), tombstonesLiveMs: 1000, nowMs: 10_000 },
  );

describe('where a rebuild begins', () => {
  it('is the beginning for a store that has nothing', () => {
    expect(plan([], [[0, 5n]], 0)).toEqual({ from: 'beginning', why: 'empty' });
  });

  it('is the positions while every deletion since is still in the topic', () => {
    expect(plan([[0, 3n]], [[0, 5n]], 999)).toEqual({ from: 'positions' });
  });

  it('is the beginning once a deletion may have gone without a trace', () => {
    expect(plan([[0, 3n]], [[0, 5n]], 1000)).toEqual({
      from: 'beginning',
      why: 'tombstones-may-be-gone',
    });
    // A partition that nothing was read of yet counts too.
    expect(
      plan(
        [[0, 5n]],
        [
          [0, 5n],
          [1, 2n],
        ],
        1000,
      ),
    ).toMatchObject({ from: 'beginning' });
  });

  it('is the positions, however old, if nothing came since', () => {
    expect(
      plan(
        [[0, 5n]],
        [
          [0, 5n],
          [1, 0n],
        ],
        1_000_000,
      ),
    ).toEqual({ from: 'positions' });
  });
});
