import type { TopicPartition } from '@outbound/kafka';

/** What a running reader may be asked. */
export interface ReaderControl {
  partitions(): readonly TopicPartition[];
  seek(partition: TopicPartition, offset: bigint): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
}
