/** A record that waits to be handled. */
export interface Waiting {
  readonly key: string;
  readonly bytes: number;
}

/**
 * The waiting records of one partition, a lane for each key. Pure. **Promise**: of one key at most one record is out at a time, and they come out
 * in the order in which they went in; different keys do not wait for each other.
 */
export class KeyLanes<Item extends Waiting> {
  readonly #lanes = new Map<string, Item[]>();
  /** Keys with something to take and nothing out, oldest first. */
  readonly #ready = new Set<string>();
  readonly #out = new Set<string>();
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: Item): void {
    const lane = this.#lanes.get(item.key);
    if (lane) lane.push(item);
    else this.#lanes.set(item.key, [item]);
    if (!this.#out.has(item.key)) this.#ready.add(item.key);
    this.#count += 1;
    this.#bytes += item.bytes;
  }

  /** The next record whose key has none out; undefined if there is none. Its key is busy until `release`. */
  take(): Item | undefined {
    for (const key of this.#ready) {
      this.#ready.delete(key);
      const item = this.#lanes.get(key)?.shift();
      if (item === undefined) continue;
      this.#out.add(key);
      this.#count -= 1;
      this.#bytes -= item.bytes;
      return item;
    }
    return undefined;
  }

  /** Says that the record of this key that is out is done with. */
  release(key: string): void {
    this.#out.delete(key);
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    if (lane.length > 0) this.#ready.add(key);
    else this.#lanes.delete(key);
  }
}
