import type { RecordHeader } from '../records/kafka-record.ts';
import { VarintCursor } from './varint-cursor.ts';

/** Up to this many bytes of headers are decoded in one piece, of which values are cut: a value that is kept keeps all of it, so it must be small. */
const pieceBytes = 4096;

/**
 * True if the headers between `at` and `end` are whole: every length fits, and they end where the record ends.
 * Whoever decodes them later need not look at bounds again.
 */
export function areHeadersWhole(bytes: Buffer, at: number, end: number): boolean {
  const cursor = new VarintCursor(bytes, at);
  const count = cursor.next();
  if (count < 0) return false;
  for (let left = count; left > 0; left -= 1) {
    const nameLength = cursor.next();
    if (nameLength < 0) return false;
    cursor.skip(nameLength);
    cursor.skip(cursor.next());
    if (cursor.at > end) return false;
  }
  return cursor.at === end;
}

/** Headers by name, values as UTF-8, an absent value as the empty text; of a name that comes twice the last one. */
export function headersByName(bytes: Buffer, at: number, end: number): Record<string, string> {
  const headers: Record<string, string> = {};
  const cursor = new VarintCursor(bytes, at);
  let left = cursor.next();
  if (left === 0) return headers;
  // To cut a value out of a text costs a fraction of decoding it from bytes.
  const text = end - at <= pieceBytes ? textByByte(bytes, at, end) : undefined;
  for (; left > 0; left -= 1) {
    const nameLength = cursor.next();
    const name = headerNames.of(bytes, cursor.skip(nameLength), nameLength);
    const valueLength = cursor.next();
    const start = cursor.skip(valueLength);
    const value =
      valueLength <= 0
        ? ''
        : text === undefined
          ? bytes.toString('utf8', start, cursor.at)
          : text.slice(start - at, cursor.at - at);
    if (name === '__proto__') setByDefinition(headers, value);
    else headers[name] = value;
  }
  return headers;
}

/** Headers in their order, values byte for byte as views. */
export function headersInOrder(bytes: Buffer, at: number): RecordHeader[] {
  const headers: RecordHeader[] = [];
  const cursor = new VarintCursor(bytes, at);
  for (let left = cursor.next(); left > 0; left -= 1) {
    const nameLength = cursor.next();
    const name = headerNames.of(bytes, cursor.skip(nameLength), nameLength);
    const valueLength = cursor.next();
    const start = cursor.skip(valueLength);
    headers.push({ name, value: valueLength < 0 ? null : bytes.subarray(start, cursor.at) });
  }
  return headers;
}

/**
 * The bytes as UTF-8, if each of them became a character: nothing in UTF-8 is longer as text than in bytes, so where the lengths are equal every byte is ASCII, or was replaced for
 * itself as in the text of its value alone. Undefined otherwise.
 */
function textByByte(bytes: Buffer, at: number, end: number): string | undefined {
  const text = bytes.toString('utf8', at, end);
  return text.length === end - at ? text : undefined;
}

/** An assignment would set the object's prototype. */
function setByDefinition(headers: Record<string, string>, value: string): void {
  Object.defineProperty(headers, '__proto__', {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

/** Names of headers, each decoded once: a topic has few, and every record has them all. Bounded, so that random names cannot fill the memory. */
class HeaderNames {
  readonly #byHash = new Map<number, { readonly bytes: Buffer; readonly name: string }>();

  of(bytes: Buffer, start: number, length: number): string {
    let hash = length;
    const end = start + length;
    for (let index = start; index < end; index += 1)
      hash = (Math.imul(hash, 31) + (bytes[index] as number)) | 0;
    const known = this.#byHash.get(hash);
    if (known !== undefined && isSame(known.bytes, bytes, start, length)) return known.name;
    const name = bytes.toString('utf8', start, end);
    if (known === undefined && this.#byHash.size < 1000 && length <= 100)
      this.#byHash.set(hash, { bytes: Buffer.from(bytes.subarray(start, end)), name });
    return name;
  }
}

function isSame(known: Buffer, bytes: Buffer, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let index = 0; index < length; index += 1)
    if (known[index] !== bytes[start + index]) return false;
  return true;
}

const headerNames = new HeaderNames();
