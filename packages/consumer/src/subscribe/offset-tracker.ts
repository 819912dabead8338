/**
 * Which records of one partition are finished, and how far that may be committed. Pure: no clock, no Kafka.
 * **Promise**: `position` never passes a record that is not finished, and never goes back.
 */
export class OffsetTracker {
  /** Records from the first unfinished one on, in offset order. */
  #open: { readonly offset: bigint; isFinished: boolean }[] = [];
  #first = 0;
  #byOffset = new Map<bigint, { readonly offset: bigint; isFinished: boolean }>();
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
   * @param offsets ascending, all at or above `reached`.
   * @param next where the next fetch begins: above the last offset, further where Kafka left control records or compaction a gap.
   * @throws RangeError for offsets that do not ascend.
   */
  add(offsets: readonly bigint[], next: bigint): void {
    for (const offset of [...offsets, next]) {
      if (this.#reached !== undefined && offset < this.#reached)
        throw new RangeError(`offset ${offset} comes after ${this.#reached - 1n}`);
      this.#reached = offset + 1n;
    }
    this.#reached = next;
    for (const offset of offsets) {
      const record = { offset, isFinished: false };
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

  /** The offset to commit, as Kafka means it: the next record to read. Undefined before anything was added. */
  get position(): bigint | undefined {
    return this.#open[this.#first]?.offset ?? this.#reached;
  }
}
