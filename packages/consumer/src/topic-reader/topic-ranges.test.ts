import type { TopicLog } from '@outbound/kafka';
import { expect, it } from 'vitest';
import { topicRanges } from './topic-ranges.ts';

/** A cluster whose brokers know, at one question after the other, of so many partitions. */
function logOf(counts: readonly number[], topicId = 'id'): TopicLog {
  let asked = 0;
  return {
    topics: ([topic = '']) => {
      const count = counts[Math.min(asked++, counts.length - 1)] ?? 0;
      const partitions = Array.from({ length: count }, (_, partition) => ({
        ...{ partition, leader: 1, leaderEpoch: 0, replicas: [1] },
      }));
      return Promise.resolve([{ topic, topicId, errorCode: 0, partitions }]);
    },
    offsets: (_, partitions) =>
      Promise.resolve(partitions.map((each) => ({ ...each, errorCode: 0, offset: 5n }))),
    fetch: () => Promise.resolve([]),
  };
}

let nowMs = 0;
const clock = {
  nowMs: () => nowMs,
  wallMs: () => nowMs,
  sleep: (ms: number) => Promise.resolve(void (nowMs += ms)),
};
const known = (partitions: number, topicId: string | undefined = 'id') => ({
  ...{ topic: 't', topicId, partitions },
});

it('asks again while a broker has not heard that the topic has grown', async () => {
  expect(await topicRanges(logOf([1, 1, 2]), ['t'], clock, known(2))).toHaveLength(2);
  expect(await topicRanges(logOf([1, 2]), ['t'], clock)).toHaveLength(1);
});

it('takes a topic that was made again as it is', async () => {
  expect(await topicRanges(logOf([1], 'another'), ['t'], clock, known(2))).toHaveLength(1);
});

it('gives no topic the offsets of another that has its name meanwhile', async () => {
  const ids = ['first', 'second', 'second', 'second'];
  const log: TopicLog = {
    ...logOf([1]),
    topics: (names) => logOf([1], ids.shift() ?? 'second').topics(names),
  };
  expect(await topicRanges(log, ['t'], clock)).toMatchObject([{ topicId: 'second' }]);
});

it('gives up after a while, and says what is missing', async () => {
  await expect(topicRanges(logOf([1]), ['t'], clock, known(2))).rejects.toMatchObject({
    code: 'KAFKA_PARTITION_UNAVAILABLE',
    message: 't has 2 partitions, and the broker that was asked knows 1',
  });
});
