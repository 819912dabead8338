import type { PartitionLag } from './lag.ts';

/** `joining`: no partition yet, or a rebalance under way. `restarting`: Kafka cannot be reached, the client tries again. */
export type SubscriptionState =
  'joining' | 'running' | 'paused' | 'restarting' | 'stopping' | 'ended';

/** A running subscription. */
export interface Subscription {
  /**
   * Resolves after `stop`; rejects when the subscription ends otherwise: HANDLER_FAILED, HANDLER_TIMEOUT, DEAD_LETTER_FAILED, an invalid event without a dead-letter
   * topic, CONSUMER_CRASHED, CONSUMER_STALLED. Await it: nobody else says that nothing is read any more. If nobody does, the rejection ends the
   * process, which is what should happen.
   */
  readonly done: Promise<void>;
  readonly state: SubscriptionState;
  /** Partitions that are ours now. */
  readonly partitions: readonly number[];
  /** Since the start. `finished` includes dead letters and ignored records. */
  readonly counts: {
    readonly finished: number;
    readonly ignored: number;
    readonly deadLetters: number;
    readonly restarts: number;
    readonly rebalances: number;
    /** How often Kafka had removed what this group was to read next: events were lost to it. Alert on it. */
    readonly gaps: number;
  };
  /** Begins no handler until `resume`; what runs goes on, and so do the heartbeats. */
  pause(): void;
  resume(): void;
  /**
   * Begins nothing more, waits for what runs, commits it and leaves the group. Called again it gives the same promise.
   * @throws ConsumerError STOP_TIMEOUT if a handler did not end in time; the member has left all the same, and its event comes again.
   */
  stop(): Promise<void>;
  /** How far behind each of our partitions is, asked of the broker now. */
  lag(): Promise<readonly PartitionLag[]>;
}
