import type { Clock } from '@outbound/service-kit';

interface GoneTopicsOptions {
  readonly clock: Clock;
  readonly limitMs: number;
  /** Whether the brokers know the topic now; undefined if none answers. */
  readonly isThere: (topic: string) => Promise<boolean | undefined>;
  /** Called at the limit for a topic that a broker knows, where nobody has told of it: time to look. */
  readonly onFound: (topic: string) => void;
  /** Called once for a topic that stays away. */
  readonly onLimit: (topic: string) => void;
}

/** After the limit, until it is told that the topic is back, or a broker says that it is not. */
const askAgainMs = 5_000;

/**
 * Topics that were deleted: how long they may stay away. One that is made again in time is read from its beginning. At
 * the limit the brokers are asked once more: looks are rare, and Kafka being away is no verdict.
 */
export class GoneTopics {
  readonly #options: GoneTopicsOptions;
  readonly #gone = new Map<string, AbortController>();

  constructor(options: GoneTopicsOptions) {
    this.#options = options;
  }

  gone(topic: string): void {
    if (this.#gone.has(topic)) return;
    const back = new AbortController();
    this.#gone.set(topic, back);
    // Nothing in it throws: sleeps end early, and questions are answered with undefined.
    this.#wait(topic, back.signal).catch(() => undefined);
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

  async #wait(topic: string, back: AbortSignal): Promise<void> {
    const { clock, limitMs, isThere, onFound, onLimit } = this.#options;
    for (let waitMs = limitMs; ; waitMs = askAgainMs) {
      await clock.sleep(waitMs, back);
      if (back.aborted) return;
      const answer = await isThere(topic);
      // Told of meanwhile, or over.
      if (back.aborted) return;
      if (answer === false) return onLimit(topic);
      if (answer) onFound(topic);
    }
  }
}
