interface OpenRecord {
  readonly offset: bigint;
  readonly timestampMs: number;
  isFinished: boolean;
}

/**
 * Which records of one partition are finished, and how far that may be committed. Pure: no clock, no Kafka.
 * **Promise**: `position` never passes a record that is not finished, and never goes back.
 */
export class OffsetTracker {
  /** Records from the first unfinished one on, in offset order. */
  #open: OpenRecord[] = [];
  #first = 0;
  readonly #byOffset = new Map<bigint, OpenRecord>();
  #reached: bigint | undefined;

  /** First offset after everything that was added; undefined before anything was. */
  get reached(): bigint | undefined {
    return this.#reached;
  }

  /** How many records were added and are not finished. */
  get unfinished(): number {
    return this.#byOffset.size;
  }

  /**
   * Takes the records of one fetch.
   * @param records offsets ascending, all at or above `reached`.
   * @param next where the next fetch begins: above the last offset, further where Kafka left control records or compaction a gap.
   * @throws RangeError for offsets that do not ascend.
   */
  add(
    records: readonly { readonly offset: bigint; readonly timestampMs: number }[],
    next: bigint,
  ): void {
    let reached = this.#reached;
    for (const offset of [...records.map((each) => each.offset), next]) {
      if (reached !== undefined && offset < reached)
        throw new RangeError(`offset ${offset} comes after ${reached - 1n}`);
      reached = offset + 1n;
    }
    this.#reached = next;
    for (const { offset, timestampMs } of records) {
      const record = { offset, timestampMs, isFinished: false };
      this.#open.push(record);
      this.#byOffset.set(offset, record);
    }
  }

  /** Marks a record; in any order, twice is once. */
  finish(offset: bigint): void {
    const record = this.#byOffset.get(offset);
    if (record === undefined) return;
    record.isFinished = true;
    this.#byOffset.delete(offset);
    while (this.#open[this.#first]?.isFinished) this.#first += 1;
    // Not at every step: shift() on a long array costs its length.
    if (this.#first > 1_000 && this.#first * 2 > this.#open.length) {
      this.#open = this.#open.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Time of the first unfinished record, milliseconds since 1970; undefined if there is none. */
  get oldestMs(): number | undefined {
    return this.#open[this.#first]?.timestampMs;
  }

  /** The offset to commit, as Kafka means it: the next record to read. Undefined before anything was added. */
  get position(): bigint | undefined {
    return this.#open[this.#first]?.offset ?? this.#reached;
  }
}
