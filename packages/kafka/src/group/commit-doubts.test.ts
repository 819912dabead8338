import { expect, it } from 'vitest';
import { CommitDoubts } from './commit-doubts.ts';
import type { Held } from './held-partitions.ts';

const life = (partition: number): Held => ({
  topic: 't',
  partition,
  phase: 'running',
  committed: 5n,
  mark: { topicId: undefined, partitionsAtBegin: undefined },
});

it('repeats a commit twice after one that had no answer, and then no more', () => {
  const doubts = new CommitDoubts();
  const one = life(0);
  doubts.add([one], 0);
  expect(doubts.nextMs).toBe(10_000);
  expect(doubts.due(9999)).toEqual([]);
  expect(doubts.due(10_000)).toEqual([one]);
  doubts.answered([one], 10_000);
  expect(doubts.nextMs).toBe(150_000);
  doubts.answered([one], 150_000);
  expect(doubts.nextMs).toBeUndefined();
});

it('counts any commit that comes later as the repetition', () => {
  const doubts = new CommitDoubts();
  const one = life(0);
  doubts.add([one], 0);
  doubts.answered([one], 9000);
  expect(doubts.nextMs).toBe(10_000);
  doubts.answered([one], 11_000);
  expect(doubts.nextMs).toBe(150_000);
});

it('forgets what is over', () => {
  const doubts = new CommitDoubts();
  const [one, two] = [life(0), life(1)];
  doubts.add([one, two], 0);
  doubts.forget((each) => each === one);
  expect(doubts.due(10_000)).toEqual([two]);
});
