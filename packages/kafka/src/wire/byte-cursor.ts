/** Reads Kafka's wire types from a buffer, from its front to its end. Slices are views. Throws RangeError behind the end. */
export class ByteCursor {
  position: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, position = 0) {
    this.#bytes = bytes;
    this.position = position;
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#skip(8));
  }

  slice(byteCount: number): Buffer {
    const start = this.#skip(byteCount);
    if (byteCount < 0 || this.position > this.#bytes.length)
      throw new RangeError('behind the end of the bytes');
    return this.#bytes.subarray(start, this.position);
  }

  /** NULLABLE_STRING: int16 length, −1 for null, and UTF-8. */
  nullableString(): string | null {
    const byteCount = this.int16();
    return byteCount < 0 ? null : this.slice(byteCount).toString();
  }

  /** STRING; a null where none may be reads as empty. */
  string(): string {
    return this.nullableString() ?? '';
  }

  /** BYTES: int32 length; a null reads as empty. */
  bytes(): Buffer {
    return this.slice(Math.max(0, this.int32()));
  }

  /** ARRAY: int32 count; a null reads as empty. */
  array<Item>(item: () => Item): Item[] {
    return this.#items(this.int32(), item);
  }

  /** UNSIGNED_VARINT. */
  uvarint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#bytes.readUInt8(this.#skip(1));
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  }

  /** COMPACT_NULLABLE_STRING (KIP-482). */
  compactNullableString(): string | null {
    const more = this.uvarint();
    return more === 0 ? null : this.slice(more - 1).toString();
  }

  /** COMPACT_BYTES (KIP-482); a null reads as empty. */
  compactBytes(): Buffer {
    return this.slice(Math.max(0, this.uvarint() - 1));
  }

  /** COMPACT_ARRAY (KIP-482); a null reads as empty. */
  compactArray<Item>(item: () => Item): Item[] {
    return this.#items(this.uvarint() - 1, item);
  }

  /** Tagged fields (KIP-482), none of which we ask for: passed over. */
  skipTags(): void {
    for (let count = this.uvarint(); count > 0; count -= 1) {
      this.uvarint();
      this.slice(this.uvarint());
    }
  }

  #items<Item>(count: number, item: () => Item): Item[] {
    const items: Item[] = [];
    for (let left = count; left > 0; left -= 1) items.push(item());
    return items;
  }

  #skip(byteCount: number): number {
    const start = this.position;
    this.position += byteCount;
    return start;
  }
}
