import type { BrokerLink } from '../connection/broker-link.ts';
import { groupByTopic, partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { OffsetAnswer, OffsetAt } from '../ports/topic-log.ts';

interface ListOffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly offset: string;
    }[];
  }[];
}

const latest = -1;
const earliest = -2;
const readUncommitted = 0;
const readCommitted = 1;
const unknownServerError = -1;

/**
 * Asks the broker of this connection for one offset of each partition, whoever leads them: an entry for each, in
 * their order, those that it does not lead with a code.
 * @throws KafkaError as `BrokerLink.ask`.
 */
export async function listOffsets(
  link: BrokerLink,
  partitions: readonly TopicPartition[],
  at: OffsetAt,
): Promise<OffsetAnswer[]> {
  const timestamp = timestampOf(at);
  const { responses } = await link.ask<ListOffsetsAnswer>('ListOffsets', {
    replicaId: -1,
    isolationLevel: at === 'stable-end' ? readCommitted : readUncommitted,
    topics: groupByTopic(partitions).map(({ topic, entries }) => ({
      topic,
      partitions: entries.map(({ partition }) => ({ partition, timestamp })),
    })),
  });
  const answers = new Map(
    responses.flatMap(({ topic, partitions: rows }) =>
      rows.map(({ partition, errorCode, offset }): [string, OffsetAnswer] => [
        partitionKey({ topic, partition }),
        { topic, partition, errorCode, offset: BigInt(offset) },
      ]),
    ),
  );
  return partitions.map(
    ({ topic, partition }) =>
      answers.get(partitionKey({ topic, partition })) ?? {
        topic,
        partition,
        errorCode: unknownServerError,
        offset: -1n,
      },
  );
}

function timestampOf(at: OffsetAt): number {
  if (at === 'earliest') return earliest;
  return typeof at === 'string' ? latest : at.timeMs;
}
