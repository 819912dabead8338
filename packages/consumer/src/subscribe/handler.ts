import type { EventType } from '@outbound/contract';
import type { ConsumedEvent } from '../events/consumed-event.ts';

/** What a handler is told beside the event. */
export interface HandlerContext {
  /** From 1. */
  readonly attempt: number;
  /**
   * Aborted when the result no longer counts: the partition goes to another member before the handler ended, or a handler of it took too
   * long. Stop writing then.
   */
  readonly signal: AbortSignal;
}

/**
 * Handles one event. To return is to say that it is dealt with; to throw, that it shall be tried again. One that returns no promise is done
 * when it returns: the next event follows at once, which is the fast way for effects within the process.
 */
export type HandleEvent<Type extends EventType> = (
  event: ConsumedEvent<Type>,
  context: HandlerContext,
) => Promise<void> | void;

/**
 * Handles several events of one partition, in order, as one. When it throws, all of them are tried again; when it throws for good, each is
 * tried alone, so that only the one that cannot be handled becomes a dead letter.
 */
export type HandleBatch<Type extends EventType> = (
  events: readonly ConsumedEvent<Type>[],
  context: HandlerContext,
) => Promise<void> | void;

/** How often a handler is tried, with jittered waits that double from `baseMs` up to `maxMs`. */
export interface RetryPolicy {
  /** The first included. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
  /** False for an error that no repetition can mend. Defaults to all being worth it. */
  readonly isRetriable?: (error: unknown) => boolean;
}

export const defaultRetry: RetryPolicy = { attempts: 5, baseMs: 200, maxMs: 10_000 };
