import type { EventType } from '@outbound/schemas';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import type { UnknownVersionPolicy } from '../events/parse-record.ts';
import type { BatchLimits } from './batch-due.ts';
import type { HandleBatch, HandleEvent, RetryPolicy } from './handler.ts';
import type { FailurePolicy } from './poison-desk.ts';

interface CommonOptions<Type extends EventType> {
  readonly connection: KafkaConnection;
  /** Members of one group share the partitions; another group gets every event again. */
  readonly groupId: string;
  /** The declaration that types and checks the events. */
  readonly eventType: Type;
  /** Full name, prefix included: one of the topics that the event type is routed to. */
  readonly topic: string;
  readonly log: KafkaLog;
  /** Where a group begins that has committed nothing. Defaults to the beginning: to miss nothing is the safer surprise. */
  readonly from?: 'beginning' | 'end';
  /** What becomes of events that cannot be handled. Defaults to `{ then: 'stop' }`. */
  readonly onPoison?: FailurePolicy;
  /** Defaults to 5 attempts, from 200 ms to 10 s apart. */
  readonly retry?: Partial<RetryPolicy>;
  /** Defaults to `fail`. */
  readonly unknownVersion?: UnknownVersionPolicy;
  /** Handlers at once in this member, over all its partitions. Defaults to 16. */
  readonly concurrency?: number;
  /** A handler that takes longer ends the subscription with HANDLER_TIMEOUT. Defaults to 5 minutes. */
  readonly handlerTimeoutMs?: number;
  /** Fetched and not yet handled, for each partition; beyond it no more is fetched. Defaults to 1,000 events and 8 MiB. */
  readonly maxWaiting?: { readonly maxEvents: number; readonly maxBytes: number };
  /** Offsets of what is finished are committed this often, milliseconds. Defaults to 500. */
  readonly commitIntervalMs?: number;
  /** A member that Kafka has not heard of for this long is taken for dead. Defaults to 30 s; the broker's bounds apply (6 s to 30 min). */
  readonly sessionTimeoutMs?: number;
  /** How long a rebalance waits for members; what runs gets half of it to end. Defaults to 60 s. */
  readonly rebalanceTimeoutMs?: number;
  /** How long `stop` waits for what runs. Defaults to 30 s. */
  readonly stopTimeoutMs?: number;
  /** A client of which nothing was heard for this long ends the subscription with CONSUMER_STALLED. Defaults to 3 minutes. */
  readonly stallLimitMs?: number;
  /** Stops the subscription when it is aborted. */
  readonly signal?: AbortSignal;
}

/** What `subscribe` is told: a handler of single events, or of batches with their bounds. */
export type SubscribeOptions<Type extends EventType> = CommonOptions<Type> &
  (
    | { readonly handle: HandleEvent<Type>; readonly handleBatch?: never; readonly batch?: never }
    | {
        readonly handleBatch: HandleBatch<Type>;
        /** Defaults to 500 events, 1 MiB, 1 s. */
        readonly batch?: BatchLimits;
        readonly handle?: never;
      }
  );
