import { backoffMs, type Clock } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';

/**
 * What asks again and again: a coordinator that moves is found within a moment, one that stays away is not hammered.
 */
export class Retry {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** It went well: the next wait is short again. */
  reset(): void {
    this.#failures = 0;
  }

  /** Counts a failure and waits; shorter if the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.nextMs(), signal);
  }

  /** Counts a failure. @returns how long to wait, between 50 ms and 1 s. */
  nextMs(): number {
    this.#failures += 1;
    const attempt = this.#failures;
    return backoffMs({ attempt, baseMs: 100, maxMs: 1000, random: this.#random });
  }
}

/**
 * Does it heal by itself?
 * @throws what it is given, if it does not: a verdict that only a person changes, or a defect.
 */
export function mustHeal(error: unknown): KafkaError {
  if (
    error instanceof KafkaError &&
    (error.code === 'KAFKA_UNAVAILABLE' || error.code === 'KAFKA_PARTITION_UNAVAILABLE')
  )
    return error;
  throw error;
}
