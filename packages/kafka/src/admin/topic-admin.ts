import type { Cluster } from '../cluster/cluster.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode, unknownTopicOrPartition } from '../kafka-errors.ts';
import { partitionKey } from '../ports/partition.ts';
import type { PartitionFacts, TopicFacts } from '../ports/topic-facts.ts';
import type { OffsetAt } from '../ports/topic-log.ts';
import { listOffsets } from '../reads/list-offsets.ts';

/** A place in a partition. */
export interface PartitionOffset {
  readonly partition: number;
  readonly offset: bigint;
}

interface DeleteRecordsAnswer {
  readonly topics: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
  }[];
}

/**
 * The partitions of a topic, by number. That it does not exist is believed when a majority of the brokers has said so
 * as often as there are brokers: most may not have heard of it yet.
 * @throws KafkaError KAFKA_TOPIC_MISSING, KAFKA_FORBIDDEN, KAFKA_UNAVAILABLE
 */
export async function partitionsOf(
  cluster: Cluster,
  topic: string,
): Promise<readonly PartitionFacts[]> {
  let facts: TopicFacts | undefined;
  for (let asked = 0; asked === 0 || asked < cluster.brokerCount; asked += 1) {
    const { topics } = await cluster.describe([topic]);
    facts = topics.find((each) => each.topic === topic);
    if (facts && facts.errorCode !== unknownTopicOrPartition) break;
  }
  const errorCode = facts?.errorCode ?? unknownTopicOrPartition;
  if (!facts || errorCode === unknownTopicOrPartition)
    throw new KafkaError('KAFKA_TOPIC_MISSING', `topic ${topic} does not exist`, {
      kafkaCode: errorCode,
    });
  if (errorCode !== 0) throw errorFromCode(errorCode, `topic ${topic}`);
  return facts.partitions;
}

/**
 * One offset of each partition of a topic, asked of their leaders.
 * @throws KafkaError KAFKA_PARTITION_UNAVAILABLE, KAFKA_UNAVAILABLE where a leader is missing, on the move or silent;
 * KAFKA_FORBIDDEN
 */
export async function offsetsOf(
  cluster: Cluster,
  topic: string,
  partitions: readonly PartitionFacts[],
  at: OffsetAt,
): Promise<PartitionOffset[]> {
  const answers = await Promise.all(
    Array.from(byLeader(topic, partitions), ([leader, group]) =>
      listOffsets(cluster.link(leader), group, at),
    ),
  );
  return answers
    .flat()
    .map(({ partition, errorCode, offset }) => {
      if (errorCode !== 0)
        throw errorFromCode(errorCode, `partition ${partitionKey({ topic, partition })}`);
      return { partition, offset };
    })
    .sort((a, b) => a.partition - b.partition);
}

/**
 * Deletes the records below each offset, as retention does; they do not come back. Done twice it does no more.
 * @throws KafkaError as `offsetsOf`; KAFKA_REJECTED for an offset behind the end, and where the topic's cleanup
 * policy does not allow it.
 */
export async function deleteRecords(
  cluster: Cluster,
  topic: string,
  partitions: readonly PartitionFacts[],
  below: readonly PartitionOffset[],
): Promise<void> {
  const offsets = new Map(below.map(({ partition, offset }) => [partition, offset]));
  for (const { partition } of below)
    if (!partitions.some((facts) => facts.partition === partition))
      throw partitionMissing(topic, partition);
  const named = partitions.filter(({ partition }) => offsets.has(partition));
  await Promise.all(
    Array.from(byLeader(topic, named), async ([leader, group]) => {
      const { topics } = await cluster.link(leader).ask<DeleteRecordsAnswer>('DeleteRecords', {
        topics: [
          {
            topic,
            partitions: group.map(({ partition }) => ({
              partition,
              offset: String(offsets.get(partition)),
            })),
          },
        ],
        timeout: 5000,
      });
      for (const { partition, errorCode } of topics.flatMap((each) => each.partitions))
        if (errorCode !== 0)
          throw errorFromCode(errorCode, `partition ${partitionKey({ topic, partition })}`);
    }),
  );
}

export function partitionMissing(topic: string, partition: number): KafkaError {
  return new KafkaError('KAFKA_PARTITION_MISSING', `topic ${topic} has no partition ${partition}`);
}

function byLeader(topic: string, partitions: readonly PartitionFacts[]) {
  const groups = new Map<number, { topic: string; partition: number }[]>();
  for (const { partition, leader } of partitions) {
    if (leader < 0)
      throw new KafkaError(
        'KAFKA_PARTITION_UNAVAILABLE',
        `partition ${partitionKey({ topic, partition })} has no leader`,
      );
    const group = groups.get(leader);
    if (group) group.push({ topic, partition });
    else groups.set(leader, [{ topic, partition }]);
  }
  return groups;
}
