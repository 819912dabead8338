/**
 * Memory that is written from its beginning and used again: a fresh megabyte for every send costs page faults, and stays resident
 * until a collection. Grows by itself, to what the largest content needed.
 */
export class ByteSink {
  bytes: Buffer;
  /** How much of it is written. */
  end = 0;

  constructor(initialBytes: number) {
    // Slow: not from the shared pool, whose slab a long-lived piece would keep.
    this.bytes = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Makes room for `more` bytes behind `end`. Order: `bytes` may be another buffer afterwards, with the same content. */
  ensureRoom(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.end + more));
    this.bytes.copy(larger, 0, 0, this.end);
    this.bytes = larger;
  }

  /** What is written, as a view: valid until the next write. */
  written(): Buffer {
    return this.bytes.subarray(0, this.end);
  }
}
