/** What one record says of its key. */
export interface StateEntry {
  readonly key: string;
  /** Orders the states of a key; undefined where the record does not say it: then the order of the topic counts. */
  readonly version: number | undefined;
  /** The record's value, a view that must be copied to be kept; undefined for a tombstone: the key is gone. */
  readonly value: Buffer | undefined;
  /** Where the record is, for messages. */
  readonly partition: number;
  readonly offset: bigint;
}

/** Where reading of a partition goes on. */
export interface StatePosition {
  readonly partition: number;
  /** Offset behind the last record that is in the store. */
  readonly nextOffset: bigint;
  /** What the topic is recognised by when reading goes on; short text that a store keeps as it is. */
  readonly mark: string;
}

/** Entries of one or more partitions, at most one of each key, and where reading goes on behind them. */
export interface StateBatch {
  readonly entries: readonly StateEntry[];
  /** One of each partition that the entries come from, and none of the others. */
  readonly positions: readonly StatePosition[];
}

/** How far a store has come, as it says itself. */
export interface StorePositions {
  /** By partition; empty for a store that has nothing. */
  readonly partitions: ReadonlyMap<number, StatePosition>;
  /**
   * When what the topic held was last known to be in the store, or when the store was cleared if that was never yet; ms
   * since 1970. Not when it was last
   * written: in the middle of a long way to the end, a deletion that is still ahead may be old.
   */
  readonly currentAtMs: number;
}

/**
 * Where a state is rebuilt into. One store holds the state of one topic and has one writer at a time. Calls come one
 * after the other.
 * Promise of every store: state and positions are kept together, so after a crash it has everything below its
 * positions, and it may have more of nothing.
 */
export interface StateStore {
  positions(): Promise<StorePositions>;
  /**
   * Takes the entries and the positions in one step that survives a crash as a whole or not at all. An entry whose
   * version is below that of the key's
   * state is left out. @throws Error if the step failed: nothing of it counts. ConsumerError STORE_WENT_BACK if the
   * store is behind what was written
   * into it before: reading then goes on from what it has.
   */
  applyBatch(batch: StateBatch): Promise<void>;
  /**
   * Everything is in the store that the topic held at this time; ms since 1970. Comes every half minute or so while the
   * end is kept up with.
   * @throws as `applyBatch`: a store that is behind must not be called current.
   */
  confirm(currentAtMs: number): Promise<void>;
  /**
   * The state is complete, for the first time since it was opened or cleared: what a store writes only as a whole is
   * written now. `confirm` has been called.
   */
  caughtUp(): Promise<void>;
  /** Removes state and positions. @param atMs ms since 1970: the store is as current as an empty topic was then. */
  clear(atMs: number): Promise<void>;
  /** Keeps what is not kept yet, and frees what the store opened. */
  close(): Promise<void>;
}
