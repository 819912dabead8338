import type { TopicPartition } from '@outbound/kafka';
import type { PartitionLag } from './lag.ts';

/**
 * `joining`: a member that has not been given its share yet. `running`: it has; partitions may come and go meanwhile. `waiting`: Kafka
 * cannot be reached, our session is over, or a topic is gone: it is tried again by itself, and the log says what for.
 */
export type SubscriptionState = 'joining' | 'running' | 'paused' | 'waiting' | 'stopping' | 'ended';

/** What a subscription has done since its start. */
export interface SubscriptionCounts {
  /** Handled, dead letters and ignored ones together. */
  readonly finished: number;
  /** By handlers, without an error. */
  readonly handled: number;
  /** Of another type, or of a version that is skipped. */
  readonly ignored: number;
  /** Attempts beyond the first. */
  readonly retried: number;
  /** `parked` included. */
  readonly deadLetters: number;
  /** Dead letters that went behind an earlier one of their key, untried. */
  readonly parked: number;
  /** How often the group has shared out its partitions with us in it. */
  readonly rebalances: number;
  /** Partitions that were taken from us with work that did not count: our session was over. */
  readonly losses: number;
  /** Commits that Kafka has taken. */
  readonly commits: number;
  /** How often Kafka had removed what this group was to read next: events were lost to it. Alert on it. */
  readonly gaps: number;
  /** How often versions of an entity were missing: events that this group was never given. Alert on it. */
  readonly versionGaps: number;
}

/** A running subscription. */
export interface Subscription {
  /**
   * Resolves after `stop`; rejects when the subscription ends otherwise: HANDLER_FAILED, HANDLER_TIMEOUT, DEAD_LETTER_FAILED, an invalid
   * event without a dead-letter topic, TOPIC_MISSING, a verdict of Kafka's (KafkaError: KAFKA_AUTH_FAILED, KAFKA_FORBIDDEN, KAFKA_FENCED,
   * KAFKA_REJECTED, KAFKA_RECORDS_UNREADABLE), or a defect of ours (RECORDS_SKIPPED, CONSUMER_CRASHED); and with STOP_TIMEOUT after a stop
   * by `signal`, which nobody awaits. Never because Kafka is away: that heals. Await it: nobody else says that nothing is read any more. If nobody does, the rejection ends the process, which is what should
   * happen.
   */
  readonly done: Promise<void>;
  readonly state: SubscriptionState;
  /** Partitions that are ours now. */
  readonly partitions: readonly TopicPartition[];
  readonly counts: SubscriptionCounts;
  /**
   * Begins no handler of these partitions until `resume`, also where they go and come back meanwhile; without an argument, none at all.
   * What runs goes on, and so do the heartbeats.
   */
  pause(partitions?: readonly TopicPartition[]): void;
  /** Without an argument, everything that was paused goes on. */
  resume(partitions?: readonly TopicPartition[]): void;
  /**
   * Goes on reading one of our partitions at `offset`, forwards or backwards, for the whole group: the position is committed. Waits for the
   * handlers of this partition that run (half of `rebalanceTimeoutMs` at most; then they are abandoned); resolves when nothing from before
   * will be handled any more. The commit follows within the commit interval, and is tried until it is carried out: a process that dies before it leaves the group where it was.
   * An offset behind the end is taken for the end, once the leader has said where that is.
   * @throws ConsumerError PARTITION_NOT_OURS if the partition is not ours, or goes meanwhile.
   */
  seek(partition: TopicPartition, offset: bigint): Promise<void>;
  /**
   * Begins nothing more, waits for what runs, commits it and leaves the group. What runs of partitions that were lost is waited for, too:
   * no handler runs any more when it resolves. Called again it gives the same promise.
   * @throws ConsumerError STOP_TIMEOUT if a handler did not end in time; the member has left all the same, and its event comes again.
   */
  stop(): Promise<void>;
  /**
   * How far behind each of our partitions is, asked of the brokers now. @throws KafkaError when none answers: a lag that nobody knows is
   * not 0.
   */
  lag(): Promise<readonly PartitionLag[]>;
  /** The same by the brokers' last answers to fetches, without a question; undefined where the last one is too old to say. */
  lagSeen(): readonly PartitionLag[];
}
