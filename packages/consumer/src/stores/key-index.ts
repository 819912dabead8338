/** What is remembered of a key beside the key. */
export interface IndexedLine {
  /** Where its line is; a number of the caller's, not below 0. */
  readonly address: number;
  readonly version: number | undefined;
}

const firstCapacity = 1024;
const gone = -1;

/**
 * For each key where its line is and which version it has, in flat arrays outside of the heap: about 40 bytes a key and
 * the key itself, and nothing
 * for the garbage collector to walk through; a `Map` of strings takes twice that, and as much again while it grows.
 * Exact: keys are compared, not their hashes.
 * A key that was removed keeps its place until the arrays are made anew.
 */
export class KeyIndex {
  /** Open addressing with linear steps: number of an entry + 1, or 0. Twice as many as there may be entries. */
  #slots = new Uint32Array(2 * firstCapacity);
  #entryCount = 0;
  #size = 0;
  /** By entry; `#keyStarts` has one more, so that each key ends where the next begins. */
  #hashes = new Int32Array(firstCapacity);
  #keyStarts = new Float64Array(firstCapacity + 1);
  #addresses = new Float64Array(firstCapacity);
  /** NaN for none. */
  #versions = new Float64Array(firstCapacity);
  #keys = Buffer.alloc(firstCapacity * 16);
  #scratch = Buffer.alloc(1024);

  /** Keys that are there. */
  get size(): number {
    return this.#size;
  }

  get(key: string): IndexedLine | undefined {
    return this.#line(this.#find(this.#scratch, this.#encode(key)));
  }

  set(key: string, { address, version }: IndexedLine): void {
    const length = this.#encode(key);
    let entry = this.#find(this.#scratch, length);
    if (entry < 0) entry = this.#add(this.#scratch, length);
    if (this.#addresses[entry] === gone) this.#size += 1;
    this.#addresses[entry] = address;
    this.#versions[entry] = version ?? NaN;
  }

  remove(key: string): void {
    const entry = this.#find(this.#scratch, this.#encode(key));
    if (entry < 0 || this.#addresses[entry] === gone) return;
    this.#addresses[entry] = gone;
    this.#size -= 1;
  }

  /**
   * The entry of a key, given as UTF-8, if its line is at this address; -1 if it is elsewhere, or nowhere. Good until
   * the next `set`.
   */
  entryAt(key: Buffer, address: number): number {
    const entry = this.#find(key, key.length);
    return entry >= 0 && this.#addresses[entry] === address ? entry : -1;
  }

  /** @param entry as `entryAt` gives it. */
  move(entry: number, address: number): void {
    this.#addresses[entry] = address;
  }

  clear(): void {
    this.#keys = Buffer.alloc(firstCapacity * 16);
    this.#entryCount = 0;
    this.#resize(firstCapacity, () => false);
  }

  #line(entry: number): IndexedLine | undefined {
    const address = this.#addresses[entry] ?? gone;
    if (entry < 0 || address === gone) return undefined;
    const version = this.#versions[entry] ?? NaN;
    return { address, version: Number.isNaN(version) ? undefined : version };
  }

  /** Puts the key into `#scratch`. @returns its length */
  #encode(key: string): number {
    // UTF-16 to UTF-8: three bytes a unit at the most.
    if (key.length * 3 > this.#scratch.length) this.#scratch = Buffer.alloc(key.length * 3);
    return this.#scratch.write(key);
  }

  /** Of the key in the first `length` bytes. */
  #find(bytes: Buffer, length: number): number {
    const hash = hashOf(bytes, length);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] ?? 0) - 1;
      if (entry < 0) return -1;
      if (this.#hashes[entry] === hash && this.#isKey(entry, bytes, length)) return entry;
    }
  }

  #isKey(entry: number, bytes: Buffer, length: number): boolean {
    const start = this.#keyStarts[entry] ?? 0;
    if ((this.#keyStarts[entry + 1] ?? 0) - start !== length) return false;
    for (let at = 0; at < length; at += 1) if (this.#keys[start + at] !== bytes[at]) return false;
    return true;
  }

  /** The place of a key that has none; nothing is said of it yet. */
  #add(bytes: Buffer, length: number): number {
    const capacity = this.#hashes.length;
    if (this.#entryCount === capacity)
      this.#resize(
        this.#size > capacity / 2 ? capacity * 2 : capacity,
        (entry) => this.#addresses[entry] !== gone,
      );
    const entry = this.#entryCount;
    const start = this.#keyStarts[entry] ?? 0;
    const end = start + length;
    if (end > this.#keys.length) {
      const keys = Buffer.alloc(Math.max(end, Math.ceil(this.#keys.length * 1.5)));
      this.#keys.copy(keys, 0, 0, start);
      this.#keys = keys;
    }
    bytes.copy(this.#keys, start, 0, length);
    this.#hashes[entry] = hashOf(bytes, length);
    this.#keyStarts[entry + 1] = end;
    this.#addresses[entry] = gone;
    this.#entryCount += 1;
    this.#link(entry);
    return entry;
  }

  #link(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#hashes[entry] ?? 0) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  /** Makes room, and leaves out what is not to stay. */
  #resize(capacity: number, stays: (entry: number) => boolean): void {
    const hashes = new Int32Array(capacity);
    const keyStarts = new Float64Array(capacity + 1);
    const addresses = new Float64Array(capacity);
    const versions = new Float64Array(capacity);
    let count = 0;
    let end = 0;
    for (let entry = 0; entry < this.#entryCount; entry += 1) {
      if (!stays(entry)) continue;
      const start = this.#keyStarts[entry] ?? 0;
      const keyEnd = this.#keyStarts[entry + 1] ?? 0;
      // Downwards or where it is, so nothing is written over that is still to be read.
      this.#keys.copyWithin(end, start, keyEnd);
      end += keyEnd - start;
      hashes[count] = this.#hashes[entry] ?? 0;
      addresses[count] = this.#addresses[entry] ?? gone;
      versions[count] = this.#versions[entry] ?? NaN;
      count += 1;
      keyStarts[count] = end;
    }
    this.#hashes = hashes;
    this.#keyStarts = keyStarts;
    this.#addresses = addresses;
    this.#versions = versions;
    this.#entryCount = count;
    this.#size = count;
    this.#slots = new Uint32Array(2 * capacity);
    for (let entry = 0; entry < count; entry += 1) this.#link(entry);
  }
}

/** FNV-1a, its bits mixed once more, since the low ones choose the slot. */
function hashOf(bytes: Buffer, length: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < length; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  return (hash ^ (hash >>> 15)) | 0;
}
