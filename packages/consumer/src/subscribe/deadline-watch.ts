import type { Clock } from '@outbound/service-kit';

/** A call of a handler that has not ended. */
export interface Call {
  readonly startedMs: number;
  /** Called once, if the call has not ended in time. */
  readonly late: () => void;
}

/**
 * Watches that no handler takes longer than `limitMs`: one sleep for all of them, until the oldest is due, because a timer for each event
 * would cost more than most handlers. Handlers that return without a promise are not watched: nothing of ours runs beside them.
 */
export class DeadlineWatch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #over: AbortSignal;
  /** Oldest first: a Set keeps the order of insertion. */
  readonly #calls = new Set<Call>();
  #isWatching = false;

  /** @param options.over ends the watching. */
  constructor(options: {
    readonly clock: Clock;
    readonly limitMs: number;
    readonly over: AbortSignal;
  }) {
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
    this.#over = options.over;
  }

  /** **Order**: to be ended with `end`. */
  begin(late: () => void): Call {
    const call = { startedMs: this.#clock.nowMs(), late };
    this.#calls.add(call);
    if (!this.#isWatching) this.#watch();
    return call;
  }

  end(call: Call): void {
    this.#calls.delete(call);
  }

  /** Sleeps until the oldest call is due. */
  #watch(): void {
    const [oldest] = this.#calls;
    this.#isWatching = oldest !== undefined && !this.#over.aborted;
    if (!oldest || this.#over.aborted) return;
    const dueMs = oldest.startedMs + this.#limitMs - this.#clock.nowMs();
    if (dueMs <= 0) {
      this.#calls.delete(oldest);
      oldest.late();
      this.#watch();
      return;
    }
    // A sleep never rejects, and neither does what follows it.
    this.#clock.sleep(dueMs, this.#over).then(
      () => this.#watch(),
      () => undefined,
    );
  }
}
