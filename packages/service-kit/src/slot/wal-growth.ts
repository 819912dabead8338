import type { SlotHealth } from './slot-health.ts';

/** How the retained log grew. */
export interface GrowthRate {
  /** Below 0 where it shrank. */
  readonly bytesPerSecond: number;
  /** What it was measured over. */
  readonly windowSeconds: number;
}

/** Several steps of restart_lsn. */
const afterFallMs = 60_000;

interface Sample {
  readonly atMs: number;
  readonly retainedBytes: number;
  readonly writtenBytes: number;
}

/**
 * How fast the log that is kept for a slot grows, over a window that moves: the newest measurement less the oldest one of the window. In normal
 * operation the retained log is a saw, since the server moves restart_lsn in steps; over a window of many teeth that is no growth, and a
 * rate within one tooth would tell of an end that never comes.
 *
 * Moments are of a monotonic clock, so that a clock that is set does not matter. A log that went back (another server, or one that was brought
 * back) begins a new window. A measurement that failed leaves a hole and nothing else.
 */
export class WalGrowth {
  readonly #windowMs: number;
  readonly #leastMs: number;
  #samples: Sample[] = [];

  /** Over less than `leastMs` no rate is told. */
  constructor({ windowMs, leastMs }: { readonly windowMs: number; readonly leastMs: number }) {
    this.#windowMs = windowMs;
    this.#leastMs = leastMs;
  }

  observe(atMs: number, health: SlotHealth | undefined): void {
    if (!health) return;
    const { retainedBytes, writtenBytes } = health;
    const last = this.#samples.at(-1);
    if (retainedBytes === undefined || writtenBytes === undefined) {
      // The slot is lost: what it kept is no more.
      this.#samples = [];
      return;
    }
    if (last && writtenBytes < last.writtenBytes) this.#samples = [];
    this.#samples.push({ atMs, retainedBytes, writtenBytes });
    this.#samples = this.#samples.filter((each) => each.atMs >= atMs - this.#windowMs);
  }

  /**
   * Undefined until two measurements are far enough apart. Where the log fell within the window (the relay caught up, the slot was made anew) and grows again for a minute, it is that
   * of the time since it was lowest: over the whole window such a fall would hide the growth.
   */
  get rate(): GrowthRate | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last === first || last.atMs - first.atMs < this.#leastMs)
      return undefined;
    const whole = rateBetween(first, last);
    if (whole.bytesPerSecond > 0) return whole;
    const lowest = this.#samples.reduce((low, each) =>
      each.retainedBytes <= low.retainedBytes ? each : low,
    );
    // Less than that is a tooth of the saw.
    return last.atMs - lowest.atMs < afterFallMs ? whole : rateBetween(lowest, last);
  }
}

function rateBetween(from: Sample, to: Sample): GrowthRate {
  const windowSeconds = (to.atMs - from.atMs) / 1000;
  return { bytesPerSecond: (to.retainedBytes - from.retainedBytes) / windowSeconds, windowSeconds };
}
