/** What is to be done with a fetch: to take it, to leave it unread, or to leave it and fetch again from another position. */
export type FetchVerdict = 'take' | 'refuse' | { readonly seek: bigint };

/**
 * Where the next fetch of each partition has to begin. Pure. **Promise**: what is taken of a partition begins at its start position, and after that each fetch
 * where the one before ended, so that nothing is ever skipped, whatever was on its way while the group joined anew or a leader moved.
 */
export class FetchPositions {
  readonly #next = new Map<number, bigint | 'anywhere'>();
  /** Where kafkajs went on behind records that it shows to nobody: markers and aborted transactions. */
  readonly #passedOver = new Map<number, bigint>();
  /** The position that was sought last, and from which nothing was taken since. */
  readonly #sought = new Map<number, bigint>();

  /** Nothing is taken of any partition from now on. */
  clear(): void {
    this.#next.clear();
    this.#passedOver.clear();
    this.#sought.clear();
  }

  /** From now on the partition is read from here. */
  start(partition: number, offset: bigint): void {
    this.#next.set(partition, offset);
    this.#passedOver.delete(partition);
    this.#sought.set(partition, offset);
  }

  /** The broker no longer has what comes next: the partition goes on wherever the next fetch begins. */
  startAnywhere(partition: number): void {
    if (this.#next.has(partition)) this.#next.set(partition, 'anywhere');
  }

  /** kafkajs stepped over a fetch that had nothing to show, and asks for `next` now. */
  passOver(partition: number, next: bigint): void {
    this.#passedOver.set(partition, next);
  }

  /**
   * Judges a fetch that was asked from `from` and goes on at `next`; taken, it moves the position. A fetch behind passed-over records is taken only if they were
   * passed over twice from the same position: the first time it could be a fetch from before the partition was ours.
   */
  judge(partition: number, from: bigint, next: bigint): FetchVerdict {
    const expected = this.#next.get(partition);
    if (expected === undefined) return 'refuse';
    const isInOrder =
      expected === 'anywhere' ||
      from === expected ||
      (from > expected &&
        this.#sought.get(partition) === expected &&
        this.#passedOver.get(partition) === from);
    this.#passedOver.delete(partition);
    if (!isInOrder) {
      this.#sought.set(partition, expected);
      return { seek: expected };
    }
    this.#sought.delete(partition);
    this.#next.set(partition, next);
    return 'take';
  }
}
