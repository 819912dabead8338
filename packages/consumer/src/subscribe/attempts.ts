import { backoffMs, type Clock, type KafkaLog } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import type { ConsumedEvent } from '../events/consumed-event.ts';
import { DeadlineWatch, type Call } from './deadline-watch.ts';
import type { HandlerContext, RetryPolicy } from './handler.ts';
import type { Life } from './life.ts';

/** Why events cannot be handled. */
export interface Failure {
  readonly attempts: number;
  readonly error: unknown;
}

/** `given-up`: the partition's life ends, and the events come again in another one. */
export type Outcome = 'handled' | 'given-up' | Failure;

/** Hands events to the handler. */
export type Invoke = (
  events: readonly ConsumedEvent[],
  context: HandlerContext,
) => Promise<void> | void;

/** Tries a handler by the policy, and watches its time. */
export class Attempts {
  readonly #retry: RetryPolicy;
  readonly #limitMs: number;
  readonly #watch: DeadlineWatch;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onLate: (error: ConsumerError) => void;
  readonly #log: KafkaLog;
  #retried = 0;

  constructor(options: {
    readonly retry: RetryPolicy;
    /** What a call of a handler may take. */
    readonly limitMs: number;
    readonly clock: Clock;
    readonly random: () => number;
    /** A handler took longer: the life of its partition is abandoned already. */
    readonly onLate: (error: ConsumerError) => void;
    /** Ends the watching. */
    readonly over: AbortSignal;
    readonly log: KafkaLog;
  }) {
    this.#retry = options.retry;
    this.#limitMs = options.limitMs;
    this.#watch = new DeadlineWatch(options);
    this.#clock = options.clock;
    this.#random = options.random;
    this.#onLate = options.onLate;
    this.#log = options.log;
  }

  /** Attempts beyond the first, since the start. */
  get retried(): number {
    return this.#retried;
  }

  /** A handler has returned a promise: watches it until `ended`. */
  began(events: readonly ConsumedEvent[], life: Life): Call {
    return this.#watch.begin(() => {
      life.abandon();
      this.#onLate(
        new ConsumerError(
          'HANDLER_TIMEOUT',
          `a handler has not ended within ${this.#limitMs} ms, at event ${events[0]?.eid}: mend it, or declare a longer handlerTimeoutMs`,
        ),
      );
    });
  }

  ended(call: Call): void {
    this.#watch.end(call);
  }

  /** All attempts, from the first on. */
  async first(events: readonly ConsumedEvent[], invoke: Invoke, life: Life): Promise<Outcome> {
    if (!life.mayBegin) return 'given-up';
    try {
      await this.#call(events, invoke, life.firstAttempt, life);
      return 'handled';
    } catch (error) {
      return this.again(events, invoke, error, life);
    }
  }

  /** The attempts after the first one, which failed with `error`. */
  async again(
    events: readonly ConsumedEvent[],
    invoke: Invoke,
    error: unknown,
    life: Life,
  ): Promise<Outcome> {
    let cause = error;
    for (let attempt = 1; ; attempt += 1) {
      if (life.isEnding) return 'given-up';
      const { attempts, baseMs, maxMs, isRetriable } = this.#retry;
      if (attempt >= attempts || isRetriable?.(cause) === false)
        return { attempts: attempt, error: cause };
      this.#tell(events, attempt, cause);
      await this.#clock.sleep(
        backoffMs({ attempt, baseMs, maxMs, random: this.#random }),
        life.ending,
      );
      if (!life.mayBegin) return 'given-up';
      this.#retried += 1;
      try {
        await this.#call(events, invoke, { attempt: attempt + 1, signal: life.abandoned }, life);
        return 'handled';
      } catch (thrown) {
        cause = thrown;
      }
    }
  }

  /** One attempt, and no more: of a dead letter. */
  async once(events: readonly ConsumedEvent[], invoke: Invoke, life: Life): Promise<Outcome> {
    if (!life.mayBegin) return 'given-up';
    try {
      await this.#call(events, invoke, life.firstAttempt, life);
      return 'handled';
    } catch (error) {
      return { attempts: 1, error };
    }
  }

  async #call(
    events: readonly ConsumedEvent[],
    invoke: Invoke,
    context: HandlerContext,
    life: Life,
  ): Promise<void> {
    const result = invoke(events, context);
    if (result === undefined) return;
    const call = this.began(events, life);
    try {
      await result;
    } finally {
      this.ended(call);
    }
  }

  #tell([first]: readonly ConsumedEvent[], attempt: number, error: unknown): void {
    this.#log.warn(
      {
        eid: first?.eid,
        topic: first?.topic,
        partition: first?.partition,
        offset: String(first?.offset),
        attempt,
        error,
      },
      'handler failed, trying again',
    );
  }
}
