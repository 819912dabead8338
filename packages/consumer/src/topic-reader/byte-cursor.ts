/** Reads Kafka's wire types from a buffer, from its front to its end. Slices are views. Throws RangeError behind the end. */
export class ByteCursor {
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
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
    if (this.position > this.#bytes.length) throw new RangeError('behind the end of the bytes');
    return this.#bytes.subarray(start, this.position);
  }

  rest(): Buffer {
    return this.slice(this.#bytes.length - this.position);
  }

  /** STRING: int16 length and UTF-8. */
  string(): string {
    return this.slice(this.int16()).toString();
  }

  /** Signed zigzag varint of up to 53 bits: Kafka's varint and varlong as records use them. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#bytes.readUInt8(this.position);
      this.position += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Bytes behind a varint length; null for −1. */
  varBytes(): Buffer | null {
    const byteCount = this.varint();
    return byteCount < 0 ? null : this.slice(byteCount);
  }

  #skip(byteCount: number): number {
    const start = this.position;
    this.position += byteCount;
    return start;
  }
}
