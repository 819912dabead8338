import type { Clock } from '@outbound/service-kit';

/** Topics that were deleted: how long they may stay away. One that is made again in time is read from its beginning. */
export class GoneTopics {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onLimit: (topic: string) => void;
  readonly #gone = new Map<string, AbortController>();

  /** @param options.onLimit called once for a topic that stays away. */
  constructor(options: {
    readonly clock: Clock;
    readonly limitMs: number;
    readonly onLimit: (topic: string) => void;
  }) {
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
    this.#onLimit = options.onLimit;
  }

  gone(topic: string): void {
    if (this.#gone.has(topic)) return;
    const back = new AbortController();
    this.#gone.set(topic, back);
    this.#clock.sleep(this.#limitMs, back.signal).then(
      () => {
        if (!back.signal.aborted) this.#onLimit(topic);
      },
      () => undefined,
    );
  }

  /** It is there; false if it was not gone. */
  back(topic: string): boolean {
    const back = this.#gone.get(topic);
    back?.abort();
    return this.#gone.delete(topic);
  }

  /** Waits for none any more. */
  close(): void {
    for (const topic of [...this.#gone.keys()]) this.back(topic);
  }
}
