import type { StatePosition, StateStore, StorePositions } from './state-store.ts';

/** The state of one key. */
export interface StoredState {
  readonly version: number | undefined;
  /** The record's value, verbatim. */
  readonly value: Buffer;
}

/** A state in memory, for projections that live and die with the process. As large as the topic's latest values. */
export interface MemoryStore extends StateStore {
  get(key: string): StoredState | undefined;
  entries(): IterableIterator<[string, StoredState]>;
  readonly size: number;
  /** For a state that was filled from elsewhere: how far in the topic it reaches. */
  setPositions(positions: StorePositions): void;
}

/** An empty one. Reading it between two batches is always consistent: JavaScript runs one thing at a time. */
export function createMemoryStore(): MemoryStore {
  const states = new Map<string, StoredState>();
  const partitions = new Map<number, StatePosition>();
  let currentAtMs = 0;
  const setPosition = (position: StatePosition) => partitions.set(position.partition, position);
  return {
    get: (key) => states.get(key),
    entries: () => states.entries(),
    get size() {
      return states.size;
    },
    setPositions(positions) {
      partitions.clear();
      positions.partitions.forEach(setPosition);
      currentAtMs = positions.currentAtMs;
    },
    positions: () => Promise.resolve({ partitions: new Map(partitions), currentAtMs }),
    applyBatch({ entries, positions }) {
      for (const { key, version, value } of entries) {
        if (isOlder(version, states.get(key)?.version)) continue;
        if (value === undefined) states.delete(key);
        // A copy: a view would keep the whole answer of the broker.
        else states.set(key, { version, value: Buffer.from(value) });
      }
      positions.forEach(setPosition);
      return Promise.resolve();
    },
    confirm(atMs) {
      currentAtMs = atMs;
      return Promise.resolve();
    },
    caughtUp: () => Promise.resolve(),
    clear(atMs) {
      states.clear();
      partitions.clear();
      currentAtMs = atMs;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

/**
 * True if a state of version `found` must not replace one of version `kept`. Without versions the order of the topic
 * counts.
 */
export function isOlder(found: number | undefined, kept: number | undefined): boolean {
  return found !== undefined && kept !== undefined && found < kept;
}
