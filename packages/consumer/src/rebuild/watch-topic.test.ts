import { KafkaError, type TopicFacts } from '@outbound/kafka';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ReadSummary } from '../topic-reader/read-topics.ts';
import type { PartitionRange } from '../topic-reader/topic-record.ts';
import type { ReadTopic } from './read-topic.ts';
import { TopicChanged, watchTopic } from './watch-topic.ts';

const facts = (topicId: string | undefined, partitions: number): TopicFacts => ({
  ...{ topic: 't', topicId, errorCode: 0 },
  partitions: Array.from({ length: partitions }, (_, partition) => ({
    ...{ partition, leader: 1, leaderEpoch: 1, replicas: [1] },
  })),
});
const summary = {} as ReadSummary;

/** A reading that goes on until it is told to stop, or for `turns`, while every look gives the next of `looks` and then the last again. */
async function reading(looks: (TopicFacts | Error)[], turns = 20) {
  const opened: PartitionRange[] = [];
  const read: ReadTopic = async ({ onOpen, signal }) => {
    await onOpen?.([{ topic: 't', partition: 0, low: 0n, high: 1n }]);
    for (let left = turns; left > 0 && signal?.aborted !== true; left -= 1) await turn();
    return summary;
  };
  const watched = watchTopic(read, {
    topic: 't',
    clock: { nowMs: () => 0, wallMs: () => 0, sleep: () => turn() },
    log: {
      topics: () => {
        const look = (looks.length > 1 ? looks.shift() : looks[0]) as TopicFacts | Error;
        return look instanceof Error ? Promise.reject(look) : Promise.resolve([look]);
      },
    },
  });
  const outcome = await watched({
    until: 'forever',
    onBatch: () => undefined,
    onOpen: (ranges) => void opened.push(...ranges),
  }).catch((error: unknown) => error);
  return { outcome, opened };
}

describe('a topic that is watched while it is read', () => {
  it('gives its id to whoever opens it', async () => {
    expect((await reading([facts('a', 1)])).opened).toMatchObject([{ topicId: 'a' }]);
    expect((await reading([facts(undefined, 1)])).opened).toMatchObject([{ topicId: undefined }]);
  });

  it.each([
    [
      'partitions were added',
      [facts('a', 1), facts('a', 1), facts('a', 2)],
      'has 2 partitions now',
    ],
    ['it was made again', [facts('a', 2), facts('b', 2)], 'was deleted and made again'],
    ['that happened while it was opened', [facts('a', 2), facts('b', 2)], 'made again'],
  ])('ends the reading when %s', async (_, looks, says) => {
    const { outcome } = await reading(looks);
    expect(outcome).toBeInstanceOf(TopicChanged);
    expect(String(outcome)).toContain(says);
  });

  it.each([
    ['a broker that lags behind', [facts('a', 2), facts('a', 1)]],
    ['a broker that knows no ids', [facts('a', 2), facts(undefined, 2)]],
    ['a topic that is not there for a moment', [facts('a', 2), { ...facts('b', 0), errorCode: 3 }]],
    ['Kafka that does not answer', [facts('a', 2), new KafkaError('KAFKA_UNAVAILABLE', 'no')]],
    ['Kafka that never did', [new KafkaError('KAFKA_UNAVAILABLE', 'no'), facts('a', 2)]],
  ])('is not unsettled by %s', async (_, looks) => {
    expect((await reading(looks)).outcome).toBe(summary);
  });
});
