import { ByteSink } from './byte-sink.ts';

/** Writes Kafka's wire types one behind the other; every method gives the writer back. For our own small requests: records have a writer of their own. */
export class ByteWriter {
  readonly #sink = new ByteSink(256);

  /** Everything that was written, as a view. */
  written(): Buffer {
    return this.#sink.written();
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int8(value: number): this {
    this.#sink.ensureRoom(1);
    this.#sink.end = this.#sink.bytes.writeInt8(value, this.#sink.end);
    return this;
  }

  int16(value: number): this {
    this.#sink.ensureRoom(2);
    this.#sink.end = this.#sink.bytes.writeInt16BE(value, this.#sink.end);
    return this;
  }

  int32(value: number): this {
    this.#sink.ensureRoom(4);
    this.#sink.end = this.#sink.bytes.writeInt32BE(value, this.#sink.end);
    return this;
  }

  int64(value: bigint): this {
    this.#sink.ensureRoom(8);
    this.#sink.end = this.#sink.bytes.writeBigInt64BE(value, this.#sink.end);
    return this;
  }

  /** NULLABLE_STRING. */
  string(text: string | null | undefined): this {
    if (text === null || text === undefined) return this.int16(-1);
    const bytes = Buffer.from(text);
    return this.int16(bytes.length).#raw(bytes);
  }

  /** BYTES. */
  bytes(bytes: Buffer): this {
    return this.int32(bytes.length).#raw(bytes);
  }

  /** ARRAY. */
  array<Item>(items: readonly Item[], write: (item: Item) => unknown): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** UNSIGNED_VARINT. */
  uvarint(value: number): this {
    let left = value;
    for (; left > 0x7f; left = Math.floor(left / 128)) this.#byte((left & 0x7f) | 0x80);
    return this.#byte(left);
  }

  /** COMPACT_NULLABLE_STRING (KIP-482). */
  compactString(text: string | null | undefined): this {
    if (text === null || text === undefined) return this.uvarint(0);
    const bytes = Buffer.from(text);
    return this.uvarint(bytes.length + 1).#raw(bytes);
  }

  /** COMPACT_ARRAY (KIP-482). */
  compactArray<Item>(items: readonly Item[] | undefined, write: (item: Item) => unknown): this {
    this.uvarint(items === undefined ? 0 : items.length + 1);
    for (const item of items ?? []) write(item);
    return this;
  }

  /** A UUID from its 32 hexadecimal digits. */
  uuid(hex: string): this {
    return this.#raw(Buffer.from(hex, 'hex'));
  }

  /** Tagged fields (KIP-482), of which we send none. */
  noTags(): this {
    return this.uvarint(0);
  }

  #raw(bytes: Buffer): this {
    this.#sink.ensureRoom(bytes.length);
    this.#sink.end += bytes.copy(this.#sink.bytes, this.#sink.end);
    return this;
  }

  #byte(value: number): this {
    this.#sink.ensureRoom(1);
    this.#sink.bytes[this.#sink.end] = value;
    this.#sink.end += 1;
    return this;
  }
}
