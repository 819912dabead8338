/** Reads the consumer protocol's primitive types, big-endian. Every read @throws RangeError where the bytes end too early. */
export class ProtocolReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  string(): string {
    return this.#take(this.int16()).toString();
  }

  nullableString(): string | undefined {
    const length = this.int16();
    return length < 0 ? undefined : this.#take(length).toString();
  }

  /** A copy; undefined for null. */
  nullableBytes(): Buffer | undefined {
    const length = this.int32();
    return length < 0 ? undefined : Buffer.from(this.#take(length));
  }

  /** A null array is an empty one. */
  array<Item>(read: () => Item): Item[] {
    const length = this.int32();
    // Every item takes a byte or more: a length that the bytes can't hold is not tried.
    if (length > this.left) throw new RangeError(`an array of ${length} items is cut off`);
    const items: Item[] = [];
    for (let index = 0; index < length; index += 1) items.push(read());
    return items;
  }

  #take(length: number): Buffer {
    if (length < 0 || length > this.left)
      throw new RangeError(`${length} bytes are wanted where ${this.left} are left`);
    const from = this.#at;
    this.#at += length;
    return this.#bytes.subarray(from, this.#at);
  }
}

/** Writes what `ProtocolReader` reads. */
export class ProtocolWriter {
  readonly #parts: Buffer[] = [];

  int16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeInt16BE(value);
    this.#parts.push(part);
    return this;
  }

  int32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  string(value: string): this {
    const text = Buffer.from(value);
    this.int16(text.length);
    this.#parts.push(text);
    return this;
  }

  nullableString(value: string | undefined): this {
    return value === undefined ? this.int16(-1) : this.string(value);
  }

  nullableBytes(value: Buffer | undefined): this {
    if (value === undefined) return this.int32(-1);
    this.int32(value.length);
    this.#parts.push(value);
    return this;
  }

  array<Item>(items: readonly Item[], write: (item: Item) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
