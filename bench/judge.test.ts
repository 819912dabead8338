import { describe, expect, it } from 'vitest';
import { eventTypes } from '@outbound/schemas';
import type { ViolationKind } from '../test/history/violations.ts';
import { benchEventType, benchRoutes, isSound, toJudgement } from './judge.ts';
import { eventTypes as oneRoute } from './one-route.js';

const clean = {
  violations: [],
  counts: new Map<ViolationKind, number>(),
  committed: 2,
  records: 4,
  duplicates: 0,
};

describe('the judgement of a run', () => {
  it('counts what the checker found by the words of the report', () => {
    const judgement = toJudgement({
      ...clean,
      duplicates: 3,
      counts: new Map<ViolationKind, number>([
        ['lost', 5],
        ['ghost', 2],
        ['altered', 4],
        ['too-many-duplicates', 1],
      ]),
    });
    expect(judgement).toMatchObject({
      lost: 5,
      altered: 6,
      reordered: 0,
      duplicated: 3,
      other: [],
    });
    expect(isSound(judgement)).toBe(false);
  });

  it('shows a breach that has no column of its own, in words', () => {
    const judgement = toJudgement({
      ...clean,
      counts: new Map<ViolationKind, number>([['moved-key', 1]]),
      violations: [{ promise: 'I3', kind: 'moved-key', sentence: 'key a is in two partitions' }],
    });
    expect(judgement.other).toEqual(['1 × moved-key: key a is in two partitions']);
    expect(isSound(judgement)).toBe(false);
  });

  it('takes duplicates alone as sound', () => {
    expect(isSound(toJudgement({ ...clean, duplicates: 9 }))).toBe(true);
  });
});

it('the row with one route publishes what the first declared route does', () => {
  const declared = eventTypes.get(benchEventType);
  expect(oneRoute).toEqual([
    {
      name: declared?.name,
      category: declared?.category,
      owner: declared?.owner,
      dataType: declared?.dataType,
      version: declared?.version,
      routes: benchRoutes(1),
    },
  ]);
});
