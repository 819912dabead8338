import type { EventType } from '@outbound/contract';
import type { KafkaLog } from '@outbound/service-kit';
import type { StateStore } from '../stores/state-store.ts';
import type { PartitionRange } from '../topic-reader/topic-record.ts';
import type { RebuildProgress } from './rebuild-progress.ts';
import type { ResumePlan } from './resume-plan.ts';

/** What is rebuilt, and who is told; wherever the records come from. */
export interface RebuildWithOptions {
  /** A compacted topic. */
  readonly topic: string;
  /** Says where a value has its version; without it `data.version`. */
  readonly eventType?: Pick<EventType, 'orderingKeyFields'>;
  /** Closed by whoever opened it. */
  readonly store: StateStore;
  /** False: resolves when it has caught up. Default true: follows until `signal`. */
  readonly follow?: boolean;
  /**
   * Called when reading begins, and whenever it begins again (see `ResumePlan`), before the store is touched: from here
   * to `onCaughtUp` its state
   * may be a part of the whole.
   */
  readonly onBegin?: (plan: ResumePlan) => void | Promise<void>;
  /**
   * Called once after each `onBegin`, when the store holds everything that the topic held then, and nothing else is
   * under way; unless reading ends or begins again before.
   */
  readonly onCaughtUp?: (facts: CaughtUp) => void | Promise<void>;
  /** Called at most every half second until it has caught up, and once then. */
  readonly onProgress?: (progress: RebuildProgress) => void;
  readonly signal?: AbortSignal;
  readonly log?: KafkaLog;
  /** See `readTopics`. */
  readonly silenceMs?: number;
  /**
   * The topic's `delete.retention.ms`, a day by default: how old positions may be to go on from them. See `resumePlan`.
   */
  readonly tombstonesLiveMs?: number;
}

/** Told when the state is complete. */
export interface CaughtUp {
  readonly recordCount: number;
  readonly byteCount: number;
  readonly seconds: number;
  /** Where it began, and why there. */
  readonly began: ResumePlan;
  /** The ends that were reached, as they were when it began. */
  readonly partitions: readonly PartitionRange[];
}
