import type { TopicPartition } from './partition.ts';
import type { TopicFacts } from './topic-facts.ts';

/**
 * Which offset is asked for: the first that is there; the end for readers of committed records (last stable); the end
 * for everybody (high watermark); or the first one at or after a time, ms since 1970 (−1 where there is none).
 */
export type OffsetAt = 'earliest' | 'stable-end' | 'end' | { readonly timeMs: number };

/** What a broker says of one partition's offset. */
export interface OffsetAnswer extends TopicPartition {
  /** Kafka's code; 0 is fine, else the offset means nothing. */
  readonly errorCode: number;
  readonly offset: bigint;
}

/** Where reading of one partition begins. */
export interface FetchPosition extends TopicPartition {
  readonly offset: bigint;
  /**
   * Of the topic that the offset is of: a broker that has another one under this name refuses (UNKNOWN_TOPIC_ID), from
   * Kafka 3.1 on. Without it, or where a broker is older, what has the name now answers.
   */
  readonly topicId?: string | undefined;
  /** Of the leader that is asked, so that it can refuse when it is another; −1: unknown. */
  readonly leaderEpoch: number;
}

export interface FetchRequest {
  readonly positions: readonly FetchPosition[];
  /** How long the broker waits for `minBytes`. */
  readonly maxWaitMs: number;
  readonly minBytes: number;
  /** Of the answer; the first batch of a partition comes whole whatever its size. */
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
}

/** A transaction that was aborted; its records begin at `firstOffset`. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What a broker answers for one partition. */
export interface FetchedPartition extends TopicPartition {
  /** Kafka's code; 0 is fine, and with another one nothing else here is meant. */
  readonly errorCode: number;
  /** What every replica in sync has; a record at or above it is not to be had. */
  readonly highWatermark: bigint;
  /** Below it every transaction has ended; readers of committed records get what is below it. */
  readonly lastStableOffset: bigint;
  /** First offset that is there; −1 where the broker does not say. */
  readonly logStartOffset: bigint;
  /** Those that overlap `recordSet`, in any order. */
  readonly aborted: readonly AbortedTransaction[];
  /**
   * Record batches one after the other; the last may be cut off. The reader's to keep: records are views of it, and
   * outlive the next fetch.
   */
  readonly recordSet: Buffer;
}

/**
 * Port: what a cluster's topics hold, for readers of committed records. Real form: over a cluster's connections;
 * in-memory form: the simulator's. No method tries again by itself: readers know better what to do meanwhile.
 */
export interface TopicLog {
  /**
   * Describes the topics; creates none. Which topic has a name, and that none has, is never one broker's word where
   * there are several: a majority agrees, or all that answer. Code 5 (LEADER_NOT_AVAILABLE) where they contradict each
   * other. One entry for each name, in their order.
   * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_AUTH_FAILED
   */
  topics(names: readonly string[]): Promise<readonly TopicFacts[]>;
  /**
   * Asks the leader `nodeId` for offsets. An entry for each partition; those that it does not lead with a code.
   * @throws KafkaError KAFKA_UNAVAILABLE (also for a node that the cluster has not named), KAFKA_AUTH_FAILED
   */
  offsets(
    nodeId: number,
    partitions: readonly TopicPartition[],
    at: OffsetAt,
  ): Promise<readonly OffsetAnswer[]>;
  /**
   * Fetches from the leader `nodeId`, as a reader of committed records. Partitions may be missing from the answer.
   * All of them are where the broker gives nothing for now, because of a quota: it is to be asked again at once, and
   * answers when it likes. One call a node at a time.
   * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_AUTH_FAILED
   */
  fetch(nodeId: number, request: FetchRequest): Promise<readonly FetchedPartition[]>;
}
