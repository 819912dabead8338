import type { KafkaRecord, TopicPartition } from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import type { BatchLimits } from './batch-due.ts';
import type { Committer } from './committer.ts';
import type { Delivered } from './delivery.ts';
import type { Life } from './life.ts';
import type { WaitingLimits } from './waiting-limits.ts';

/** What the dispatcher wants of the fetcher: to fetch no more of a partition for a while. */
export interface FetchPort {
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
}

/** Who takes the records of a topic to its handler (`Delivery`). */
export interface Deliver {
  one(record: KafkaRecord, life: Life): Delivered;
  batch(records: readonly KafkaRecord[], life: Life, finish: (index: number) => void): Delivered;
}

/** What a `Dispatcher` works with. */
export interface DispatcherOptions {
  /** By topic; with `batch` in batches. */
  readonly topics: ReadonlyMap<
    string,
    { readonly batch: BatchLimits | undefined; readonly deliver: Deliver }
  >;
  /** Done once for each assigned partition, before its first record is delivered. */
  readonly prepare: (partition: TopicPartition) => Promise<void>;
  readonly fetch: FetchPort;
  readonly committer: Committer;
  /** Whether an event of the partition may be handed out now; may call `lose`. */
  readonly mayHandle: (partition: TopicPartition) => boolean;
  readonly concurrency: number;
  readonly limits: WaitingLimits;
  readonly clock: Clock;
  /** Ends the waiting for batches to become due. */
  readonly over: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}
