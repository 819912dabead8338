import type { Lsn } from '../wal/lsn.ts';

/** What came from the source and is not read yet: a message's bytes, or how far the server has sent everything. */
export type Held = Buffer | { readonly walEnd: Lsn };

/** Messages that wait to be read, in their order, and what they count against the byte bound (I9). */
export class HeldMessages {
  #queue: Held[] = [];
  #head = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy: the source uses its buffer again. */
  push(held: Held): void {
    const kept = Buffer.isBuffer(held) ? Buffer.from(held) : held;
    this.#bytes += bytesOf(kept);
    this.#queue.push(kept);
  }

  get length(): number {
    return this.#queue.length - this.#head;
  }

  get first(): Held | undefined {
    return this.#queue[this.#head];
  }

  /** Lets the first one go. */
  shift(): void {
    const held = this.#queue[this.#head];
    if (held === undefined) return;
    this.#head += 1;
    this.#bytes -= bytesOf(held);
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}

/**
 * What a row comes to when it is read: two records, nearly always. Counted before it is, so that reading what is held
 * needs no room.
 */
function bytesOf(held: Held): number {
  return 1000 + (Buffer.isBuffer(held) ? 2 * held.length : 0);
}
