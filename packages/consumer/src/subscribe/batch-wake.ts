import type { Clock } from '@outbound/service-kit';
import type { PartitionWork } from './partition-work.ts';

/** Wakes up when the next batch is due: one sleep for all partitions. */
export class BatchWake {
  readonly #clock: Clock;
  readonly #over: AbortSignal;
  readonly #wake: () => void;
  #atMs: number | undefined;

  /** @param over ends the sleep; nobody is woken any more. */
  constructor(clock: Clock, over: AbortSignal, wake: () => void) {
    this.#clock = clock;
    this.#over = over;
    this.#wake = wake;
  }

  /** Whoever is due already has had its turn. */
  plan(works: readonly PartitionWork[]): void {
    const nowMs = this.#clock.nowMs();
    let dueMs = Infinity;
    for (const work of works) {
      const due = work.dueInMs(nowMs) ?? Infinity;
      if (due > 0) dueMs = Math.min(dueMs, due);
    }
    const atMs = nowMs + dueMs;
    if (dueMs === Infinity) return;
    if (this.#atMs !== undefined && this.#atMs <= atMs) return;
    this.#atMs = atMs;
    this.#clock.sleep(dueMs, this.#over).then(
      () => {
        if (this.#atMs === atMs) this.#atMs = undefined;
        if (!this.#over.aborted) this.#wake();
      },
      // A sleep never rejects.
      () => undefined,
    );
  }
}
