/**
 * The last offset of every key, of one partition at a time. Costs about 100 bytes and the key itself for each key that
 * the partition holds, whatever the values
 * weigh: a topic of a million keys in six partitions needs some 25 MB.
 */
export class KeyIndex {
  readonly #last = new Map<string, bigint>();

  get size(): number {
    return this.#last.size;
  }

  /** First reading, in order of offset. */
  note(key: string, offset: bigint): void {
    this.#last.set(key, offset);
  }

  /**
   * Second reading, in order of offset: true once for each key, at its last record. Compaction may have removed that
   * one meanwhile, but only because a later one
   * came: then it is true at the later one.
   */
  takeIfLast(key: string, offset: bigint): boolean {
    const last = this.#last.get(key);
    if (last === undefined || offset < last) return false;
    this.#last.delete(key);
    return true;
  }
}
