/**
 * How many duplicates a schedule may show (I7), counted where they arise: a record that an older session appends after a newer one has
 * read the partition's tail is one that the newer one will publish again. Those are the batches that were in flight at a takeover or a
 * crash; everything else must be there once. Where a tail could not be read, everything may come again.
 */
export class DuplicateLedger {
  readonly #newestTail = new Map<string, number>();
  #allowed = 0;

  get allowed(): number {
    return this.#allowed;
  }

  /** `hidden`: so many records of the partition were not replicated yet, and not shown. */
  tailRead(lane: string, session: number, isKnown: boolean, hidden: number): void {
    this.#newestTail.set(lane, Math.max(session, this.#newestTail.get(lane) ?? -1));
    this.#allowed += hidden;
    if (!isKnown) this.#allowed = Infinity;
  }

  appended(lane: string, session: number, count: number): void {
    if (session < (this.#newestTail.get(lane) ?? -1)) this.#allowed += count;
  }
}
