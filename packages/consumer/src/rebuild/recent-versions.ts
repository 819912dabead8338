import type { StateEntry } from '../stores/state-store.ts';

interface Seen {
  readonly version: number;
  readonly isGone: boolean;
}

/**
 * Remembers the last version of keys seen lately, deletions above all: a store forgets a deleted key, and a value from before the deletion that is delivered once
 * more (after a crash of the publisher, within what was in flight) would bring it back to life. Bounded: what was seen longest ago is forgotten.
 */
export class RecentVersions {
  readonly #seen = new Map<string, Seen>();
  readonly #maxKeys: number;

  /** @param maxKeys well above what a publisher has in flight. */
  constructor(maxKeys = 100_000) {
    this.#maxKeys = maxKeys;
  }

  /** The entries in their order, at most one of each key, without those that are older than what came before. */
  latest(entries: readonly StateEntry[]): StateEntry[] {
    const latest = new Map<string, StateEntry>();
    for (const entry of entries) if (this.#isNews(entry)) latest.set(entry.key, entry);
    return [...latest.values()];
  }

  #isNews({ key, version, value }: StateEntry): boolean {
    const before = this.#seen.get(key);
    const isGone = value === undefined;
    if (before !== undefined && version !== undefined) {
      if (version < before.version) return false;
      // The version that was last there when it was deleted; a new life begins above it.
      if (before.isGone && !isGone && version === before.version) return false;
    }
    const known = version ?? (isGone ? before?.version : undefined);
    // Renewed at the end: a Map keeps the order of insertion.
    this.#seen.delete(key);
    if (known !== undefined) this.#seen.set(key, { version: known, isGone });
    if (this.#seen.size > this.#maxKeys) {
      const first = this.#seen.keys().next();
      if (!first.done) this.#seen.delete(first.value);
    }
    return true;
  }
}
