/** What the tracker has to know of a record. */
export interface Tracked {
  readonly offset: bigint;
  readonly timestampMs: number;
}

/** So many finished records in front are forgotten at once: to cut an array at every step costs its length. */
const cutAt = 4_096;

/**
 * The records of one partition from the first unfinished one on, and how far that may be committed. Pure: no clock, no Kafka. Records are
 * named by their number, counted from 0 in the order in which they were added: plain numbers and one array, because this is touched for
 * every event.
 * **Promise**: `position` never passes a record that is not finished, and never goes back.
 */
export class OffsetTracker<Record extends Tracked = Tracked> {
  /** Undefined where a record is finished, so that its bytes are let go of. */
  #records: (Record | undefined)[] = [];
  /** Number of the first one in `#records`. */
  #base = 0;
  #firstUnfinished = 0;
  #unfinished = 0;
  #reached: bigint;

  /** @param start the offset at which reading begins. */
  constructor(start: bigint) {
    this.#reached = start;
  }

  /** First offset after everything that was added. */
  get reached(): bigint {
    return this.#reached;
  }

  /** Number that the next added record will have. */
  get end(): number {
    return this.#base + this.#records.length;
  }

  /** How many records were added and are not finished. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** From the first unfinished record to the end, finished ones in between included: what would come again after a crash. */
  get span(): number {
    return this.end - this.#firstUnfinished;
  }

  /**
   * Takes what was read from `reached` on.
   * @param records offsets ascending, all at or above `reached`.
   * @param next where reading goes on: above the last offset, further where Kafka left control records or compaction a gap.
   * @throws RangeError for offsets that do not ascend; then nothing was taken.
   */
  add(records: readonly Record[], next: bigint): void {
    let before = this.#reached - 1n;
    for (const { offset } of records) {
      if (offset <= before) throw new RangeError(`offset ${offset} comes after ${before}`);
      before = offset;
    }
    if (next <= before) throw new RangeError(`offset ${next} comes after ${before}`);
    for (const record of records) this.#records.push(record);
    this.#unfinished += records.length;
    this.#reached = next;
  }

  /** Goes on at a later offset, where Kafka has removed what is in between. @throws RangeError for an earlier one. */
  skipTo(offset: bigint): void {
    this.add([], offset);
  }

  /** The record of this number; undefined if it is finished. */
  at(number: number): Record | undefined {
    return this.#records[number - this.#base];
  }

  /** Puts the same record in its place, unless it is finished. */
  replace(number: number, record: Record): void {
    const index = number - this.#base;
    if (this.#records[index] !== undefined) this.#records[index] = record;
  }

  /** Those from number `from` to below `to` that are not finished. */
  slice(from: number, to: number): Record[] {
    const found: Record[] = [];
    for (let index = from - this.#base; index < to - this.#base; index += 1) {
      const record = this.#records[index];
      if (record !== undefined) found.push(record);
    }
    return found;
  }

  /** Marks a record, in any order; false if it was marked already. */
  finish(number: number): boolean {
    const index = number - this.#base;
    if (this.#records[index] === undefined) return false;
    this.#records[index] = undefined;
    this.#unfinished -= 1;
    if (number === this.#firstUnfinished) this.#advance();
    return true;
  }

  /** Time of the first unfinished record, milliseconds since 1970; undefined if there is none. */
  get oldestMs(): number | undefined {
    return this.at(this.#firstUnfinished)?.timestampMs;
  }

  /** The offset to commit, as Kafka means it: the next record to read. */
  get position(): bigint {
    return this.at(this.#firstUnfinished)?.offset ?? this.#reached;
  }

  #advance(): void {
    let index = this.#firstUnfinished - this.#base;
    while (index < this.#records.length && this.#records[index] === undefined) index += 1;
    this.#firstUnfinished = this.#base + index;
    if (index === this.#records.length) {
      this.#records = [];
      this.#base = this.#firstUnfinished;
    } else if (index > cutAt && index * 2 > this.#records.length) {
      this.#records = this.#records.slice(index);
      this.#base = this.#firstUnfinished;
    }
  }
}
