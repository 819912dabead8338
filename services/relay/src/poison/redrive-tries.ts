import { parkedKeyText } from '@outbound/contract';
import type { ParkedKey } from './parked-key.ts';

interface Try {
  /** The letters that had been dealt with; another number means that the relay has got on since. */
  readonly place: string;
  readonly misses: number;
  readonly dueAtLook: number;
}

/** Looks that a key without a readable letter is left out, at the most. */
const mostLooks = 64;
/** Forgetting costs rows that are written twice, and nothing else. */
const mostKeys = 100_000;

/**
 * Which keys have been tried, as they stand. Whose letters were written is tried again when some of them have been
 * published, however many came behind them; whose next letter was not in the topic yet, now and then.
 */
export class RedriveTries {
  readonly #tries = new Map<string, Try>();
  #look = 0;

  nextLook(): void {
    this.#look += 1;
  }

  isDue(key: ParkedKey): boolean {
    const last = this.#tries.get(keyOf(key));
    return last?.place !== placeOf(key) || this.#look >= last.dueAtLook;
  }

  /** `none`: there was nothing to write. */
  tried(key: ParkedKey, outcome: 'written' | 'stuck' | 'none'): void {
    if (this.#tries.size >= mostKeys) this.#tries.clear();
    const place = placeOf(key);
    const last = this.#tries.get(keyOf(key));
    const misses = outcome === 'none' ? (last?.place === place ? last.misses : 0) + 1 : 0;
    const dueAtLook =
      outcome === 'none' ? this.#look + Math.min(2 ** (misses - 1), mostLooks) : Infinity;
    this.#tries.set(keyOf(key), { place, misses, dueAtLook });
  }
}

function keyOf({ aggregateType, aggregateId }: ParkedKey): string {
  return parkedKeyText(aggregateType, aggregateId);
}

function placeOf({ state }: ParkedKey): string {
  return `${state.done} ${state.since}`;
}
