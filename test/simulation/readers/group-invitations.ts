import type { Scheduler, Timer } from '../scheduler.ts';

/** Members that got a name at their first join and are expected back with it (KIP-394). */
export class GroupInvitations {
  readonly #scheduler: Scheduler;
  readonly #onForgotten: () => void;
  readonly #pending = new Map<string, Timer>();

  /** @param onForgotten one of them has not come back in time. */
  constructor(scheduler: Scheduler, onForgotten: () => void) {
    this.#scheduler = scheduler;
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#pending.size;
  }

  invite(memberId: string, limitMs: number): void {
    const timer = this.#scheduler.after(limitMs, () => {
      this.#pending.delete(memberId);
      this.#onForgotten();
    });
    this.#pending.set(memberId, timer);
  }

  /** It is back, or has left: gives whether it was expected. */
  take(memberId: string): boolean {
    this.#pending.get(memberId)?.cancel();
    return this.#pending.delete(memberId);
  }

  clear(): void {
    for (const timer of this.#pending.values()) timer.cancel();
    this.#pending.clear();
  }
}
