import type { Clock, KafkaLog } from '@outbound/service-kit';
import type { KafkaError } from '../kafka-error.ts';
import type { TopicPartition } from '../ports/partition.ts';
import type { TopicLog } from '../ports/topic-log.ts';
import type { KafkaRecord } from '../records/kafka-record.ts';

/** What one answer brought of one partition: committed records in offset order, none where there was no more. */
export interface FetchedRecords extends TopicPartition {
  readonly records: readonly KafkaRecord[];
  /** The position that was asked for. */
  readonly from: bigint;
  /**
   * Where the next fetch begins: behind the last record, or further where compaction or transactions have left a gap.
   */
  readonly next: bigint;
  /** What the records keep in memory, about: their batches, decompressed. */
  readonly byteCount: number;
  readonly highWatermark: bigint;
  /** With `next` at it or behind it, the broker had no more for readers of committed records when it answered. */
  readonly lastStableOffset: bigint;
  /** When it was asked for, ms since 1970. */
  readonly askedAtMs: number;
}

/**
 * A position that the log does not have: below `logStart` retention was faster, above `end` the log has lost its end
 * or is another one.
 */
export interface OutOfRange {
  readonly position: bigint;
  readonly logStart: bigint;
  /** High watermark. */
  readonly end: bigint;
}

/** What has become of a topic. */
export type TopicChange =
  /** No broker has known it for `goneAfterMs`. Its partitions go on if it comes back as it was. */
  | { readonly kind: 'gone' }
  /** It was gone, and is there as it was; told of no topic that has changed otherwise meanwhile. */
  | { readonly kind: 'back' }
  /**
   * Another topic has its name: another id, or fewer partitions. Its partitions stand still until they are assigned
   * anew.
   */
  | { readonly kind: 'made-again'; readonly topicId: string | undefined }
  /** Partitions were added, from number `before` on; nobody reads them until they are assigned. */
  | { readonly kind: 'grown'; readonly before: number; readonly partitions: number };

export interface FetchLimits {
  /**
   * Of an answer: a broker's answers are worked on one at a time, so this times the brokers bounds what is on its
   * way.
   */
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
  /**
   * Of what is handed out of a partition at once, decompressed; no batch beyond it is decompressed before the owner
   * has taken that and paused nothing. A single batch may be larger, up to 128 MiB. What an owner lets wait and one
   * such batch is all that a partition has in memory beside its answer.
   */
  readonly maxDecodedBytes: number;
  /** How long a broker waits for the first record. */
  readonly maxWaitMs: number;
  /** How often topics are looked at without a reason. */
  readonly lookEveryMs: number;
  /**
   * After this much more than `maxWaitMs` without an answer, leaders are asked for: the broker may hang, and another
   * lead.
   */
  readonly slowAfterMs: number;
  /**
   * For this long a position behind the end is asked for again before it is told: a new leader may not know yet how
   * far the log goes.
   */
  readonly lostEndAfterMs: number;
  /** For this long a topic must be unknown before it is gone: a broker may not have heard of it yet. */
  readonly goneAfterMs: number;
}

export const defaultFetchLimits: FetchLimits = {
  maxBytes: 8 * 1024 * 1024,
  maxBytesPerPartition: 1024 * 1024,
  maxDecodedBytes: 1024 * 1024,
  maxWaitMs: 500,
  lookEveryMs: 10_000,
  slowAfterMs: 1000,
  lostEndAfterMs: 5000,
  goneAfterMs: 5000,
};

/**
 * What a `Fetcher` needs, and whom it tells. It calls one at a time and waits for none; each may call the fetcher
 * back. One that throws ends the run with its error.
 */
export interface FetcherOptions {
  readonly log: TopicLog;
  readonly clock: Clock;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  /** What is left out is `defaultFetchLimits`. */
  readonly limits?: Partial<FetchLimits>;
  /** Each answer that is taken, also without records. To stop more from coming, pause within the call. */
  readonly onRecords: (fetched: FetchedRecords) => void;
  /** The partition stands still until it is assigned anew, or sought. */
  readonly onOutOfRange: (partition: TopicPartition, range: OutOfRange) => void;
  readonly onTopicChanged: (topic: string, change: TopicChange) => void;
  /** A partition gives nothing for now; it is tried again by itself. Told at each try. */
  readonly onWaiting?: (partition: TopicPartition, why: string) => void;
  /**
   * A verdict that only a person changes: `partition` stands still until it is assigned anew; without one (a wrong
   * password) everything is tried again slowly, until the run is ended.
   */
  readonly onFailed: (error: KafkaError, partition: TopicPartition | undefined) => void;
  readonly logger: KafkaLog;
}
