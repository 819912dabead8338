/** What a reader says of itself at its end. */
export interface Reading {
  readonly events: number;
  /** From the first event to the last. */
  readonly seconds: number;
  /** User and system time of the process in that span. */
  readonly cpuSeconds: number;
  /** Highest resident memory of the process, bytes. */
  readonly peakBytes: number;
}

/** Counts what a reader of this process handles, from the first event on, and resolves when it was all. */
export class Meter {
  readonly done: Promise<Reading>;
  readonly #wanted: number;
  #resolve: (reading: Reading) => void = () => undefined;
  #events = 0;
  #startedMs = 0;
  #usage = process.cpuUsage();

  constructor(wanted: number) {
    this.#wanted = wanted;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
  }

  add(count: number): void {
    if (this.#events === 0) {
      this.#startedMs = performance.now();
      this.#usage = process.cpuUsage();
    }
    this.#events += count;
    if (this.#events < this.#wanted) return;
    const { user, system } = process.cpuUsage(this.#usage);
    this.#resolve({
      events: this.#events,
      seconds: (performance.now() - this.#startedMs) / 1000,
      cpuSeconds: (user + system) / 1e6,
      peakBytes: process.resourceUsage().maxRSS * 1024,
    });
  }
}
