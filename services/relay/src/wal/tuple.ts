import { RelayError } from '../errors.ts';

const nullLength = -1;

/**
 * The columns of one row as places in the message's bytes: nothing is copied and no string is made until a column is asked for.
 * One cursor serves every row: it is valid only until the next message, and the bytes below it are reused by the socket.
 *
 * **Layout** (TupleData): `Int16 count`, then for each column `n` (null) or `t Int32 length, bytes`.
 * `u` (unchanged TOAST) never occurs in an insert and `b` (binary) was not asked for: both break the protocol here.
 * Source: https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class Tuple {
  #bytes: Buffer = Buffer.alloc(0);
  #starts = new Int32Array(32);
  #lengths = new Int32Array(32);
  #count = 0;

  get columnCount(): number {
    return this.#count;
  }

  /**
   * Points the cursor at the row that starts at `offset`; gives the place after it.
   * @throws RelayError DECODE_PROTOCOL with the byte and the place.
   */
  read(bytes: Buffer, offset: number): number {
    this.#count = 0;
    const end = bytes.length;
    if (offset + 2 > end) throw truncated(bytes, offset, 'the number of columns');
    const count = bytes.readInt16BE(offset);
    if (count < 0)
      throw new RelayError(
        'DECODE_PROTOCOL',
        `a row with ${count} columns at byte ${offset} of a message of ${end}`,
      );
    if (count > this.#starts.length) {
      this.#starts = new Int32Array(count);
      this.#lengths = new Int32Array(count);
    }
    const starts = this.#starts;
    const lengths = this.#lengths;
    let at = offset + 2;
    for (let column = 0; column < count; column++) {
      const kind = bytes[at];
      if (kind === 0x74 /* t */) {
        if (at + 5 > end) throw truncated(bytes, at, `the length of column ${column}`);
        const length = bytes.readInt32BE(at + 1);
        at += 5;
        if (length < 0 || at + length > end)
          throw new RelayError(
            'DECODE_PROTOCOL',
            `column ${column} says it has ${length} bytes at byte ${at}, but the message has ${end}`,
          );
        starts[column] = at;
        lengths[column] = length;
        at += length;
      } else if (kind === 0x6e /* n */) {
        starts[column] = at;
        lengths[column] = nullLength;
        at += 1;
      } else if (kind === undefined) {
        throw truncated(bytes, at, `column ${column}`);
      } else {
        throw new RelayError(
          'DECODE_PROTOCOL',
          `column ${column} is of kind ${hex(kind)} at byte ${at}; an insert in text mode has only n and t`,
        );
      }
    }
    this.#bytes = bytes;
    this.#count = count;
    return at;
  }

  isNull(column: number): boolean {
    return this.#length(column) === nullLength;
  }

  /** Length in bytes; 0 for NULL. */
  byteLength(column: number): number {
    return Math.max(0, this.#length(column));
  }

  /** The column as text, or undefined if it is NULL. Each call decodes anew. */
  text(column: number): string | undefined {
    const length = this.#length(column);
    if (length === nullLength) return undefined;
    const start = this.#starts[column] ?? 0;
    return this.#bytes.toString('utf8', start, start + length);
  }

  /**
   * As `text`, for a column that holds ASCII by its type (uuid, number, time): about twice as fast.
   * Other bytes come out as Latin-1, so never use it for what people wrote.
   */
  asciiText(column: number): string | undefined {
    const length = this.#length(column);
    if (length === nullLength) return undefined;
    const start = this.#starts[column] ?? 0;
    return this.#bytes.toString('latin1', start, start + length);
  }

  /**
   * A copy of the column's bytes, verbatim and safe to keep (I5), or undefined if it is NULL. Small ones share Node's pool: neighbours
   * are published soon after each other, and memory of its own for each costs more than it saves (measured: 10 to 20 MB at a backlog).
   */
  copyBytes(column: number): Buffer | undefined {
    const length = this.#length(column);
    if (length === nullLength) return undefined;
    const start = this.#starts[column] ?? 0;
    const copy = Buffer.allocUnsafe(length);
    this.#bytes.copy(copy, 0, start, start + length);
    return copy;
  }

  #length(column: number): number {
    if (column < 0 || column >= this.#count)
      throw new RelayError(
        'INVARIANT_BROKEN',
        `column ${column} was asked of a row with ${this.#count} columns`,
      );
    return this.#lengths[column] ?? nullLength;
  }
}

/** The error for a message that ends too early: where, and what was expected there. */
export function truncated(bytes: Buffer, offset: number, what: string): RelayError {
  const kind = bytes[0];
  return new RelayError(
    'DECODE_PROTOCOL',
    `a message of kind ${kind === undefined ? 'none' : hex(kind)} ends at byte ${bytes.length}, before ${what} at byte ${offset}`,
  );
}

/** A byte for an error message: `0x49 "I"`. */
export function hex(byte: number): string {
  const text = byte > 0x20 && byte < 0x7f ? ` "${String.fromCharCode(byte)}"` : '';
  return `0x${byte.toString(16).padStart(2, '0')}${text}`;
}
