/** Zigzag varints of at most 10 bytes: what Kafka's varlong may take. */
const longestVarint = 10;

/**
 * Reads the varints of Kafka's records from a buffer, from `at` on. Looks at no bounds, because a record is checked as a whole: behind the end it reads zeroes,
 * and `at` says that it went too far.
 */
export class VarintCursor {
  at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Kafka's varint, or its varlong of up to 53 bits. */
  next(): number {
    const byte = this.#bytes[this.at++] as number;
    // Nearly every varint of a record is this short.
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    return this.#longer(byte);
  }

  /** Passes over `byteCount` bytes; none where it is negative, which stands for null. Gives where they begin. */
  skip(byteCount: number): number {
    const start = this.at;
    if (byteCount > 0) this.at += byteCount;
    return start;
  }

  #longer(first: number): number {
    let value = first & 0x7f;
    let factor = 128;
    for (let read = 1; read < longestVarint; read += 1) {
      const byte = this.#bytes[this.at++] as number;
      value += (byte & 0x7f) * factor;
      if (!(byte >= 0x80)) break;
      factor *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
