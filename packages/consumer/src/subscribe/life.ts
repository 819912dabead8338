import type { Clock } from '@outbound/service-kit';
import type { HandlerContext } from './handler.ts';
import { VersionMemory } from './version-gaps.ts';

/**
 * The time in which a partition is ours: from its assignment, or a seek in it, to its end. What was handled in one life is never committed
 * in another.
 */
export class Life {
  /** Of a first attempt; one for all of them, because most handlers never look at it. */
  readonly firstAttempt: HandlerContext;
  /** Versions of the keys that this life has seen. */
  readonly versions = new VersionMemory();
  readonly #ending = new AbortController();
  readonly #abandoned = new AbortController();
  readonly #clock: Clock;
  readonly #isOurs: () => boolean;
  #askedMs = -Infinity;
  #isEnding = false;
  #isAbandoned = false;

  /** @param isOurs whether our session still covers the partition, by our own clock; ends this life, if not. */
  constructor(clock: Clock, isOurs: () => boolean) {
    this.#clock = clock;
    this.#isOurs = isOurs;
    this.firstAttempt = { attempt: 1, signal: this.#abandoned.signal };
  }

  /** Whether a handler may be begun now. Asks at most once a millisecond: between two events of one turn nothing else can have happened. */
  get mayBegin(): boolean {
    if (this.#isEnding) return false;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#askedMs < 1) return true;
    if (!this.#isOurs()) return false;
    this.#askedMs = nowMs;
    return true;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Ends waits for a next attempt. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** What handlers are told by. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** From now on nothing new is begun; what runs may end, and counts. */
  end(): void {
    this.#isEnding = true;
    this.#ending.abort();
  }

  /** What runs no longer counts. */
  abandon(): void {
    this.end();
    this.#isAbandoned = true;
    this.#abandoned.abort();
  }
}
