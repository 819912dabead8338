import type { StateBatch, StateEntry, StatePosition, StateStore } from '../stores/state-store.ts';

/** Of entries that wait while a step is written; the step that is written has as many at the most. */
const maxBytes = 4 * 1024 * 1024;
const maxEntries = 50_000;
/** What an entry costs beside its key and value. */
const entryBytes = 100;

/**
 * Writes to a store behind the reader's back: while one step is written, what comes meanwhile is gathered for the next,
 * so steps are as large as the store is slow, and a
 * lone record never waits. Bounded: when as much has been gathered as a step may have, `add` waits for the store.
 * A step that fails ends everything: `onFailed` is called once, and whatever is asked later rejects with the same
 * error.
 */
export class StoreWriter {
  readonly #store: Pick<StateStore, 'applyBatch'>;
  readonly #onFailed: () => void;
  #entries = new Map<string, StateEntry>();
  #positions = new Map<number, StatePosition>();
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(store: Pick<StateStore, 'applyBatch'>, onFailed: () => void) {
    this.#store = store;
    this.#onFailed = onFailed;
  }

  /**
   * Takes entries in their order; a later one of a key takes the place of an earlier one. Resolves when more may come.
   */
  async add(entries: readonly StateEntry[], position: StatePosition): Promise<void> {
    this.#throwIfFailed();
    for (const entry of entries) {
      this.#bytes += entry.key.length + (entry.value?.length ?? 0) + entryBytes;
      this.#entries.set(entry.key, entry);
    }
    this.#positions.set(position.partition, position);
    if (!this.#writing) this.#write();
    while (this.#writing && (this.#bytes >= maxBytes || this.#entries.size >= maxEntries))
      await this.#writing;
    this.#throwIfFailed();
  }

  /** Resolves when everything that was added is in the store. */
  async drain(): Promise<void> {
    while (this.#writing) await this.#writing;
    this.#throwIfFailed();
  }

  /**
   * What waits is not written any more; resolves when the step that is being written has ended. @throws what a step has
   * failed with
   */
  async discard(): Promise<void> {
    this.#entries.clear();
    this.#positions.clear();
    await this.drain();
  }

  /** Starts a step; the next follows by itself as long as something waits. */
  #write(): void {
    const batch = {
      entries: [...this.#entries.values()],
      positions: [...this.#positions.values()],
    };
    this.#entries = new Map();
    this.#positions = new Map();
    this.#bytes = 0;
    this.#writing = this.#step(batch).then(() => {
      this.#writing = undefined;
      if (!this.#failure && this.#positions.size > 0) this.#write();
    });
  }

  /** Never rejects. */
  async #step(batch: StateBatch): Promise<void> {
    try {
      await this.#store.applyBatch(batch);
    } catch (error) {
      this.#failure = { error };
      this.#onFailed();
    }
  }

  #throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
