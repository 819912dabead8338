import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { ApiError } from '../errors.ts';

/** One line: its text, or why it cannot be one. */
export type NdjsonLine = { readonly number: number } & (
  | { readonly text: string }
  | {
      readonly error: ApiError;
      /** Tells the line from others. */
      readonly mark: string;
    }
);

/** Longest line in bytes, its end not counted; more is no entity that could be published. */
export const maxLineBytes = 262_144;

const newline = 0x0a;
const noBytes = Buffer.alloc(0);

/**
 * Cuts bytes into lines as they come, and never keeps more than one line that has not ended. A line that is too long, or no UTF-8, is told as such, and the next one is read again. Lines
 * without anything but white space are counted and left out.
 */
export class NdjsonLines {
  /** Grows by doubling: a line may come byte by byte. */
  #begun = noBytes;
  #begunBytes = 0;
  #number = 0;

  /** Bytes that are kept of a line that has not ended. */
  get keptBytes(): number {
    return this.#begun.length;
  }

  /** The lines that end in these bytes. */
  *push(bytes: Buffer): Generator<NdjsonLine> {
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      // Nothing between two ends: the cheapest line there is to send, so also to read.
      const isEmpty = end === start && this.#begunBytes === 0;
      if (isEmpty) this.#number += 1;
      const line = isEmpty ? undefined : this.#finish(bytes.subarray(start, end));
      if (line !== undefined) yield line;
      start = end + 1;
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start));
  }

  /** The last line, which needs no end. */
  *end(): Generator<NdjsonLine> {
    if (this.#begunBytes === 0) return;
    const line = this.#finish(noBytes);
    if (line !== undefined) yield line;
  }

  #keep(bytes: Buffer): void {
    const before = this.#begunBytes;
    this.#begunBytes += bytes.length;
    if (this.#begunBytes > maxLineBytes) {
      this.#begun = noBytes;
      return;
    }
    if (this.#begunBytes > this.#begun.length) {
      const larger = Buffer.alloc(Math.min(maxLineBytes, 2 * this.#begunBytes));
      this.#begun.copy(larger, 0, 0, before);
      this.#begun = larger;
    }
    bytes.copy(this.#begun, before);
  }

  #finish(last: Buffer): NdjsonLine | undefined {
    if (this.#begunBytes > 0) this.#keep(last);
    const length = this.#begunBytes === 0 ? last.length : this.#begunBytes;
    const bytes = this.#begunBytes === 0 ? last : this.#begun.subarray(0, length);
    this.#begun = noBytes;
    this.#begunBytes = 0;
    this.#number += 1;
    const number = this.#number;
    if (length > maxLineBytes)
      return {
        number,
        error: new ApiError('BODY_TOO_LARGE', `The line is larger than ${maxLineBytes} bytes.`),
        mark: `${length} bytes`,
      };
    if (!isUtf8(bytes))
      return {
        number,
        error: new ApiError('MALFORMED_JSON', 'The line is not UTF-8.'),
        mark: createHash('sha256').update(bytes).digest('hex'),
      };
    const text = bytes.toString('utf8');
    return /^[ \t\r]*$/.test(text) ? undefined : { number, text };
  }
}
