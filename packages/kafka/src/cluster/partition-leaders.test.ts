import { expect, it } from 'vitest';
import type { TopicFacts } from '../ports/topic-facts.ts';
import { PartitionLeaders } from './partition-leaders.ts';

const described = (
  leaders: readonly (readonly [leader: number, leaderEpoch: number])[],
  topicId: string | undefined = 'id-1',
): TopicFacts => ({
  topic: 't',
  topicId,
  errorCode: 0,
  partitions: leaders.map(([leader, leaderEpoch], partition) => ({
    ...{ partition, leader, leaderEpoch },
    replicas: [leader],
  })),
});

function leadersAfter(...descriptions: readonly TopicFacts[]): number[] {
  const leaders = new PartitionLeaders();
  for (const description of descriptions) leaders.learn(description);
  return Array.from({ length: leaders.partitions }, (_, partition) => leaders.of(partition));
}

it('is not taken back by a broker that is behind, partition by partition', () => {
  expect(
    leadersAfter(
      described([
        [1, 5],
        [2, 7],
      ]),
      described([
        [3, 4],
        [3, 8],
      ]),
    ),
  ).toEqual([1, 3]);
});

it('follows a description of the same epoch, as where a leader is away and comes back', () => {
  expect(leadersAfter(described([[1, 5]]), described([[-1, 5]]))).toEqual([-1]);
});

it('begins anew with another topic of the name, whose epochs begin anew', () => {
  expect(
    leadersAfter(
      described([
        [1, 5],
        [2, 5],
      ]),
      described([[3, 0]], 'id-2'),
    ),
  ).toEqual([3]);
});

it('keeps partitions that a broker has not heard of yet', () => {
  expect(
    leadersAfter(
      described([
        [1, 0],
        [2, 0],
      ]),
      described([[1, 0]]),
    ),
  ).toEqual([1, 2]);
});

it('follows every description where no broker counts epochs', () => {
  expect(leadersAfter(described([[1, -1]]), described([[2, -1]]))).toEqual([2]);
});
