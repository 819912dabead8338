/**
 * The latest delays of a live consumer. Fixed memory; quantiles are over the last `size` records.
 * Units: milliseconds from the commit in Postgres to the receipt by the consumer, by the clock of this machine.
 */
export class LagWindow {
  readonly #lagsMs: Float64Array;
  #count = 0;

  /** @param size Defaults to 2,000 records. */
  constructor(size = 2000) {
    this.#lagsMs = new Float64Array(size);
  }

  /** Takes the delay of one more record. */
  add(lagMs: number): void {
    this.#lagsMs[this.#count % this.#lagsMs.length] = lagMs;
    this.#count++;
  }

  /** Records since the beginning. */
  get count(): number {
    return this.#count;
  }

  /** The smallest delay that `share` (0 to 1) of the window does not exceed; undefined while nothing arrived, because zero would be a lie (I11). */
  quantile(share: number): number | undefined {
    const filled = Math.min(this.#count, this.#lagsMs.length);
    if (filled === 0) return undefined;
    const sorted = this.#lagsMs.slice(0, filled).sort();
    return sorted[Math.min(filled - 1, Math.max(0, Math.ceil(share * filled) - 1))];
  }
}

/** For the live line: `lag p50 4 ms, p99 19 ms`, or `lag unknown`. */
export function lagText(window: LagWindow): string {
  const [p50, p99] = [window.quantile(0.5), window.quantile(0.99)];
  return p50 === undefined || p99 === undefined
    ? 'lag unknown'
    : `lag p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms`;
}
