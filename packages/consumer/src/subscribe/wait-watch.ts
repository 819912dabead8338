import type { Clock, KafkaLog } from '@outbound/service-kit';
import { WaitNotice } from './wait-notice.ts';

const lookMs = 1_000;

/**
 * What a subscription waits for that heals by itself: the coordinator, leaders of partitions, topics that are gone. Says so in the log,
 * ever more rarely, from the first second on: most waits are shorter.
 */
export class WaitWatch {
  readonly #clock: Clock;
  readonly #log: KafkaLog;
  readonly #over: AbortSignal;
  /** Why, by what is waited for. */
  readonly #waits = new Map<string, string>();
  readonly #notice = new WaitNotice();
  #isLooking = false;

  /** @param options.over ends the watching. */
  constructor(options: {
    readonly clock: Clock;
    readonly log: KafkaLog;
    readonly over: AbortSignal;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#over = options.over;
  }

  get isWaiting(): boolean {
    return this.#waits.size > 0;
  }

  begin(what: string, why: string): void {
    this.#waits.set(what, why);
    if (this.#isLooking || this.#over.aborted) return;
    this.#isLooking = true;
    // A sleep never rejects, and neither does the log.
    this.#look().catch(() => undefined);
  }

  end(what: string): void {
    this.#waits.delete(what);
  }

  async #look(): Promise<void> {
    for (;;) {
      await this.#clock.sleep(lookMs, this.#over);
      if (this.#over.aborted) return;
      const nowMs = this.#clock.nowMs();
      const [first] = this.#waits;
      if (!first) break;
      const durationMs = this.#notice.due(nowMs);
      if (durationMs !== undefined)
        this.#log.warn(
          { durationMs, waits: this.#waits.size },
          `waiting for ${first[0]}: ${first[1]}`,
        );
    }
    this.#isLooking = false;
    const durationMs = this.#notice.over(this.#clock.nowMs());
    if (durationMs !== undefined) this.#log.info({ durationMs }, 'nothing is waited for any more');
  }
}
