/** What one record says of its key. */
export interface StateEntry {
  readonly key: string;
  /** Orders the states of a key; undefined where the record does not say it: then the order of the topic counts. */
  readonly version: number | undefined;
  /** The record's value, a view that must be copied to be kept; undefined for a tombstone: the key is gone. */
  readonly value: Buffer | undefined;
}

/** Entries of one partition, at most one of each key, and where reading goes on behind them. */
export interface StateBatch {
  readonly partition: number;
  readonly entries: readonly StateEntry[];
  /** Offset behind the records that are in it. */
  readonly nextOffset: bigint;
}

/** How far a store has come, as it says itself. */
export interface StorePositions {
  /** Next offset of each partition; empty for a store that has nothing. */
  readonly offsets: ReadonlyMap<number, bigint>;
  /**
   * When what the topic held was last known to be in the store, or when the store was cleared if that was never yet; ms since 1970. Not when it was last
   * written: in the middle of a long way to the end, a deletion that is still ahead may be old.
   */
  readonly currentAtMs: number;
}

/**
 * Where a state is rebuilt into. One store holds the state of one topic and has one writer at a time. Calls come one after the other.
 * Promise of every store: state and position are kept together, so after a crash it has everything below its positions, and it may have more of nothing.
 */
export interface StateStore {
  positions(): Promise<StorePositions>;
  /**
   * Takes the entries and the position in one step that survives a crash as a whole or not at all. An entry whose version is below that of the key's
   * state is left out. @throws Error if the step failed: nothing of it counts.
   */
  applyBatch(batch: StateBatch): Promise<void>;
  /** Everything is in the store that the topic held at this time; ms since 1970. Comes every half minute or so while the end is kept up with. */
  confirm(currentAtMs: number): Promise<void>;
  /** The state is complete for the first time since `positions`: what a store writes only as a whole is written now. `confirm` has been called. */
  caughtUp(): Promise<void>;
  /** Removes state and positions. */
  clear(): Promise<void>;
  /** Keeps what is not kept yet, and frees what the store opened. */
  close(): Promise<void>;
}
