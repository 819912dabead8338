import type { Clock } from '@outbound/service-kit';

/** How long handlers that need no waiting may run on without a turn of the event loop. */
const sliceMs = 5;

/**
 * Shares the process: work that never waits stops after a few milliseconds, so that answers of brokers, heartbeats and the host's own
 * affairs have their turn, and goes on in the next turn of the event loop.
 */
export class Slice {
  readonly #clock: Clock;
  readonly #goOn: () => void;
  #endsMs: number | undefined;
  #isGoingOn = false;

  /** @param goOn called in the next turn, if `goOnAfter` was. */
  constructor(clock: Clock, goOn: () => void) {
    this.#clock = clock;
    this.#goOn = goOn;
  }

  /** Whether this turn's time is over; the first question of a turn begins it. */
  get isOver(): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#endsMs !== undefined) return nowMs >= this.#endsMs;
    this.#endsMs = nowMs + sliceMs;
    setImmediate(() => {
      this.#endsMs = undefined;
      if (!this.#isGoingOn) return;
      this.#isGoingOn = false;
      this.#goOn();
    });
    return false;
  }

  /** There is more to do: it goes on in the next turn. */
  goOnAfter(): void {
    this.#isGoingOn = true;
  }
}
