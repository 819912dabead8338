/**
 * What a topic holds of one key's versions, in the order in which they were read. Its size depends on the gaps, not on the versions.
 * A version that was there before is a duplicate, which at-least-once delivery allows; a version that is new and lower than
 * one before it is out of order, which nothing allows (I3).
 */
export class VersionTrail {
  #lowest: number | undefined;
  #highest = 0;
  #duplicateCount = 0;
  #outOfOrderCount = 0;
  readonly #gaps = new Set<number>();

  /** Takes the version of the next record of the key. A snapshot of a version that was there before is no duplicate: it says it again on purpose. */
  add(version: number, { isSnapshot = false }: { readonly isSnapshot?: boolean } = {}): void {
    if (this.#lowest === undefined) {
      this.#lowest = version;
      this.#highest = version;
    } else if (version > this.#highest) {
      for (let skipped = this.#highest + 1; skipped < version; skipped++) this.#gaps.add(skipped);
      this.#highest = version;
    } else if (version < this.#lowest) {
      for (let skipped = version + 1; skipped < this.#lowest; skipped++) this.#gaps.add(skipped);
      this.#lowest = version;
      this.#outOfOrderCount++;
    } else if (this.#gaps.delete(version)) {
      this.#outOfOrderCount++;
    } else if (!isSnapshot) {
      this.#duplicateCount++;
    }
  }

  get highest(): number {
    return this.#highest;
  }
  /** How many different versions were read. */
  get versionCount(): number {
    return this.#lowest === undefined ? 0 : this.#highest - this.#lowest + 1 - this.#gaps.size;
  }
  get duplicateCount(): number {
    return this.#duplicateCount;
  }
  get outOfOrderCount(): number {
    return this.#outOfOrderCount;
  }

  /**
   * How many of the versions up to `latest` were not read.
   * @param options.isWhole true if the topic still has its first record; else what lies before the first version that was read may
   * have been removed by retention and is not judged.
   */
  missingCount(latest: number, { isWhole }: { readonly isWhole: boolean }): number {
    if (this.#lowest === undefined) return isWhole ? latest : 0;
    const before = isWhole ? this.#lowest - 1 : 0;
    const within = Array.from(this.#gaps).filter((version) => version <= latest).length;
    return before + within + Math.max(0, latest - this.#highest);
  }
}
