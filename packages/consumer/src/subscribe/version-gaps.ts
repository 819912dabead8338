import type { ConsumedEvent } from '../events/consumed-event.ts';

/** Versions of one entity that were skipped: events that this consumer was never given. */
export interface VersionGap {
  readonly topic: string;
  readonly partition: number;
  /** Of the event that came instead of the expected one. */
  readonly offset: bigint;
  readonly key: string;
  readonly expected: number;
  readonly found: number;
}

/**
 * The last version of the keys seen lately in one partition. Bounded: it holds the last `maxKeys` keys at least and twice as many at most;
 * of a key that is forgotten the next event is a first sight.
 */
export class VersionMemory {
  readonly #maxKeys: number;
  #recent = new Map<string, number>();
  #older = new Map<string, number>();

  constructor(maxKeys = 10_000) {
    this.#maxKeys = maxKeys;
  }

  /** An event of the key went by whose version nobody has looked at: the next one is a first sight. */
  forget(key: string): void {
    this.#recent.delete(key);
    this.#older.delete(key);
  }

  /**
   * Notes the event, and gives the version that should have come instead, if one is missing. Versions of an entity are contiguous on a
   * change topic (docs/semantics.md), so a higher one than the next proves that something in between was not seen. No gaps are: the first
   * event of a key, a repetition, a replay, and a snapshot (S), which tells a state and no change.
   */
  missing({ key, version, isReplay, dataOp }: ConsumedEvent): number | undefined {
    if (version === undefined || isReplay) return undefined;
    const last = this.#recent.get(key) ?? this.#older.get(key);
    if (last !== undefined && version <= last) return undefined;
    this.#recent.set(key, version);
    if (this.#recent.size >= this.#maxKeys) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    return last !== undefined && dataOp !== 'S' && version > last + 1 ? last + 1 : undefined;
  }
}
