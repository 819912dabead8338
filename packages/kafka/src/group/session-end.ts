import type { Clock } from '@outbound/service-kit';
import type { HeldPartitions } from './held-partitions.ts';
import type { Membership } from './membership.ts';
import { Wake } from './wake.ts';

export interface SessionEndParts {
  readonly clock: Clock;
  readonly sessionTimeoutMs: number;
  readonly held: HeldPartitions;
  readonly membership: Membership;
  readonly over: AbortSignal;
  /** Others may have everything by now. */
  onEnd(why: string): void;
}

/** The end of a session by our own clock: the coordinator has counted one too, and nobody may tell us. */
export class SessionEnd {
  readonly #parts: SessionEndParts;
  readonly #wake = new Wake();

  constructor(parts: SessionEndParts) {
    this.#parts = parts;
  }

  /** Ends the session if its time is over; also called by whoever is about to hand something out. */
  expire(): void {
    const { clock, sessionTimeoutMs, held, membership } = this.#parts;
    if (held.size === 0 || clock.nowMs() < membership.sessionEndsMs) return;
    this.#parts.onEnd(`nothing was heard of the coordinator for ${sessionTimeoutMs} ms`);
  }

  /** Ends it in time even where nobody asks. */
  async run(): Promise<void> {
    const { clock, sessionTimeoutMs, held, membership, over } = this.#parts;
    while (!over.aborted) {
      const leftMs = membership.sessionEndsMs - clock.nowMs();
      const waitMs = held.size > 0 ? Math.max(leftMs, 1) : sessionTimeoutMs;
      await clock.sleep(waitMs, this.#wake.signal);
      this.expire();
    }
  }

  /** There is something to lose now, or the member is over. */
  wake(): void {
    this.#wake.wake();
  }
}
