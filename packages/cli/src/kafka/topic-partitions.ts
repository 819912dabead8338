import type { Admin, ITopicMetadata } from 'kafkajs';
import { topicMissing } from './kafka-cli-error.ts';

/** A place in a partition. */
export interface PartitionOffset {
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * The topic's partitions with their leaders. Ask before anything else of a topic: this answers at once for one that does not exist, where kafkajs' other questions
 * are tried again and again first.
 * @throws CliError TOPIC_MISSING
 */
export async function partitionsOf(
  admin: Admin,
  topic: string,
): Promise<ITopicMetadata['partitions']> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const found = topics.find(({ name }) => name === topic);
  if (!found) throw topicMissing(`topic ${topic}`);
  return found.partitions;
}

/** kafkajs' offsets as numbers without loss, by partition. */
export function byPartition(
  offsets: readonly { readonly partition: number; readonly offset: string }[],
): PartitionOffset[] {
  return offsets
    .map(({ partition, offset }) => ({ partition, offset: BigInt(offset) }))
    .sort((a, b) => a.partition - b.partition);
}
