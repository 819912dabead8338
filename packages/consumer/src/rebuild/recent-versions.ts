import type { StateEntry } from '../stores/state-store.ts';

/** The version of a deletion; a version alone is that of a value. */
interface Gone {
  readonly version: number;
}

/**
 * Remembers the last version of keys seen lately, deletions above all: a store forgets a deleted key, and a value from
 * before the deletion that is delivered once
 * more (after a crash of the publisher, within what was in flight) would bring it back to life. Bounded: what was seen
 * longest ago is forgotten.
 */
export class RecentVersions {
  /**
   * Two generations: a key that is seen moves into the young one, and when that is full the old one is forgotten. Costs
   * a map entry a record, and no more.
   */
  #young = new Map<string, number | Gone>();
  #old = new Map<string, number | Gone>();
  readonly #keysEach: number;

  /**
   * @param maxKeys so many are remembered at the least, twice as many at the most; well above what a publisher has in
   * flight.
   */
  constructor(maxKeys = 50_000) {
    this.#keysEach = maxKeys;
  }

  /** True unless it is older than what came before. Remembers it. */
  isNews({ key, version, value }: StateEntry): boolean {
    const seen = this.#young.get(key) ?? this.#old.get(key);
    const isGone = value === undefined;
    let known = version;
    if (seen !== undefined) {
      const before = typeof seen === 'number' ? seen : seen.version;
      if (version === undefined) known = isGone ? before : undefined;
      else if (version < before) return false;
      // The version that was last there when it was deleted; a new life begins above it.
      else if (version === before && !isGone && typeof seen !== 'number') return false;
    }
    if (known !== undefined) this.#remember(key, isGone ? { version: known } : known);
    else if (seen !== undefined) this.#forget(key);
    return true;
  }

  #remember(key: string, seen: number | Gone): void {
    this.#young.set(key, seen);
    if (this.#young.size < this.#keysEach) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  #forget(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
