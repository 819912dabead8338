import type { EventType } from '@outbound/contract';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import type { FailurePolicy } from './poison-desk.ts';
import type { RetryPolicy } from './handler.ts';
import type { TopicHandling, TopicSubscription } from './topic-handling.ts';
import type { VersionGap } from './version-gaps.ts';
import type { WaitingLimits } from './waiting-limits.ts';

/** What a subscription is told, whatever its topics are. */
export interface GroupOptions {
  /** Members of one group share the partitions; another group gets every event again. */
  readonly groupId: string;
  /**
   * Makes this a static member: one that is stopped or killed and comes back under the same name within `sessionTimeoutMs` finds its
   * partitions as they were, and nobody is rebalanced. Another name for each process; a second one under the same name ends the first with
   * KAFKA_FENCED. `stop` leaves its partitions to it until the session is over.
   */
  readonly groupInstanceId?: string;
  readonly log: KafkaLog;
  /**
   * Where a group begins that has committed nothing: it is committed when the member joins. Defaults to the beginning: to miss nothing is
   * the safer surprise.
   */
  readonly from?: 'beginning' | 'end';
  /** What becomes of events that cannot be handled. Defaults to `{ then: 'stop' }`. */
  readonly onPoison?: FailurePolicy;
  /** Defaults to 5 attempts, from 200 ms to 10 s apart. */
  readonly retry?: Partial<RetryPolicy>;
  /**
   * Told when versions of an entity are missing on a change topic: events that this group was never given. What it throws ends the
   * subscription before the event is handled. It is a proof, not a repair; `counts.versionGaps` counts the same. Known are the last 10,000
   * keys or more of each partition, since it was assigned.
   */
  readonly onVersionGap?: (gap: VersionGap) => void;
  /** Handlers at once in this member, over all its partitions. Defaults to 16. */
  readonly concurrency?: number;
  /** A handler that takes longer ends the subscription with HANDLER_TIMEOUT. Defaults to 5 minutes. */
  readonly handlerTimeoutMs?: number;
  /**
   * Fetched and not yet handled; a partition that has it fetches no more. Bytes are what is kept in memory: the batches that events came in,
   * decompressed, or copies of the few that are left of them. Defaults to 1,000 events and 8 MiB for each partition, and 64 MiB for all of
   * them (`maxBytesInAll`, in equal shares). Held at most: this, and one fetch for each partition and each
   * running handler.
   */
  readonly maxWaiting?: Partial<WaitingLimits>;
  /** Offsets of what is finished are committed this often, milliseconds. Defaults to 500. */
  readonly commitIntervalMs?: number;
  /** A member that Kafka has not heard of for this long is taken for dead. Defaults to 30 s; the broker's bounds apply (6 s to 30 min). */
  readonly sessionTimeoutMs?: number;
  /** How long a rebalance waits for members; what runs of a partition that goes to another one gets half of it to end. Defaults to 60 s. */
  readonly rebalanceTimeoutMs?: number;
  /** How long `stop` waits for what runs. Defaults to 30 s. */
  readonly stopTimeoutMs?: number;
  /**
   * A topic that is gone for this long ends the subscription with TOPIC_MISSING; one that is made again before is read from its beginning.
   * Defaults to a minute.
   */
  readonly topicGoneLimitMs?: number;
  /** Stops the subscription when it is aborted; handlers that do not end in time then reject `done` with STOP_TIMEOUT. */
  readonly signal?: AbortSignal;
}

/** One topic in the place of `topics`, or several, each made by `onTopic`. */
export type TopicsOptions<Type extends EventType> =
  | (TopicSubscription<Type> & { readonly topics?: never })
  | { readonly topics: readonly TopicHandling[]; readonly topic?: never };

/** What `subscribeWith` is told. */
export type SubscriptionOptions<Type extends EventType> = GroupOptions & TopicsOptions<Type>;

/** What `subscribe` is told: a topic with a handler of single events, or of batches with their bounds; or several topics. */
export type SubscribeOptions<Type extends EventType> = SubscriptionOptions<Type> & {
  readonly connection: KafkaConnection;
};
