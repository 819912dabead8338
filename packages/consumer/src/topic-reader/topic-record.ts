import type { TopicPartition } from '@outbound/kafka';

/** What a partition holds: offsets from `low` to below `high`, with gaps where compaction has been or transactions ended. */
export interface PartitionRange extends TopicPartition {
  /** Of the topic that this is of: another one has another id, whatever its name. Undefined where brokers do not say (before Kafka 2.8). */
  readonly topicId?: string | undefined;
  readonly low: bigint;
  /** The end for everybody (high watermark): records behind it came later. Those before it may still wait for a transaction to end. */
  readonly high: bigint;
}

/** Offsets of a partition, `from` to below `to`, that were removed before they could be read. */
export interface OvertakenRange extends TopicPartition {
  readonly from: bigint;
  readonly to: bigint;
}
