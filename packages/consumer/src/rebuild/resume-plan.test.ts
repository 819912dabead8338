import { describe, expect, it } from 'vitest';
import type { Recognition } from './recognise-topic.ts';
import { resumePlan } from './resume-plan.ts';

const plan = (
  offsets: [number, bigint][],
  ends: [number, bigint][],
  {
    ageMs = 0,
    topic = 'same',
    low = 0n,
  }: { ageMs?: number; topic?: Recognition; low?: bigint } = {},
) =>
  resumePlan(
    {
      partitions: new Map(
        offsets.map(([partition, nextOffset]) => [partition, { partition, nextOffset, mark: '' }]),
      ),
      currentAtMs: 10_000 - ageMs,
    },
    {
      topic,
      ranges: ends.map(([partition, high]) => ({ topic: 't', partition, low, high })),
      tombstonesLiveMs: 1000,
      nowMs: 10_000,
    },
  );

describe('where a rebuild begins', () => {
  it('is the beginning for a store that has nothing', () => {
    expect(plan([], [[0, 5n]], { topic: 'unproven' })).toEqual({ from: 'beginning', why: 'empty' });
  });

  it('is the positions while every deletion since is still in the topic', () => {
    expect(plan([[0, 3n]], [[0, 5n]], { ageMs: 999 })).toEqual({ from: 'positions' });
  });

  it('is the beginning once a deletion may have gone without a trace', () => {
    expect(plan([[0, 3n]], [[0, 5n]], { ageMs: 1000 })).toEqual({
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
        { ageMs: 1000 },
      ),
    ).toMatchObject({
      from: 'beginning',
    });
  });

  it('is the positions, however old, if nothing came since', () => {
    expect(
      plan(
        [[0, 5n]],
        [
          [0, 5n],
          [1, 0n],
        ],
        { ageMs: 1_000_000 },
      ),
    ).toEqual({
      from: 'positions',
    });
  });

  it('is the beginning where retention removed what was not read, however young the positions are', () => {
    const removed = { from: 'beginning', why: 'records-removed' };
    expect(plan([[0, 3n]], [[0, 9n]], { low: 3n })).toEqual({ from: 'positions' });
    expect(plan([[0, 3n]], [[0, 9n]], { low: 4n })).toEqual(removed);
    expect(plan([[0, 3n]], [[0, 4n]], { low: 4n })).toEqual(removed);
    expect(plan([[0, 3n]], [[0, 4n]], { low: 4n, topic: 'made-again' })).toMatchObject({
      why: 'topic-made-again',
    });
    // Of a partition that nothing was read of, nothing is stored that could be out of date.
    expect(
      plan(
        [[0, 9n]],
        [
          [0, 9n],
          [1, 9n],
        ],
        { low: 4n },
      ),
    ).toEqual({ from: 'positions' });
  });

  it.each([
    ['made-again', 'topic-made-again'],
    ['lost-end', 'topic-lost-records'],
    ['unproven', 'topic-not-proven'],
  ] as const)('is the beginning of a topic that is %s', (topic, why) => {
    expect(plan([[0, 5n]], [[0, 5n]], { topic })).toEqual({ from: 'beginning', why });
  });
});
