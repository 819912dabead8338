import type { Chance } from '../chance.ts';
import type { Scheduler, Timer } from '../scheduler.ts';

/** How long a rebalance waits for members: one wait at a time, which no time passes for while the broker hangs. */
export class GroupTimer {
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #isFrozen: () => boolean;
  #timer: Timer | undefined;

  constructor(scheduler: Scheduler, chance: Chance, isFrozen: () => boolean) {
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.#isFrozen = isFrozen;
  }

  after(ms: number, run: () => void): void {
    const tick = (): void => {
      if (this.#isFrozen()) this.#timer = this.#scheduler.after(100, tick);
      else run();
    };
    // A little unevenness, so that no two groups' timers fall together by construction.
    this.#timer = this.#scheduler.after(ms + this.#chance.between(0, 2), tick);
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}
