import type { StateEntry } from './state-store.ts';

const newline = 10;
const carriageReturn = 13;
const closingBrace = 0x7d;
const backslash = 0x5c;
const quote = 0x22;
const keyBegin = Buffer.from('{"key":');
const versionMark = Buffer.from(',"version":');
const valueMark = Buffer.from(',"value":');
const lineEnd = Buffer.from('}\n');
const firstBytes = 256 * 1024;

/**
 * Writes the lines of a snapshot, `{"key":…,"version":…,"value":…}`, one behind the other into memory that is used
 * again. The value's bytes are copied
 * once and stay what they are, but for line breaks between its tokens, which become spaces. The values have to be JSON.
 */
export class LineWriter {
  #buffer = Buffer.allocUnsafe(firstBytes);
  #length = 0;

  /** What was written since the last `reset`; a view. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Of `bytes`. */
  get length(): number {
    return this.#length;
  }

  reset(): void {
    this.#length = 0;
  }

  /** @returns where the line begins in `bytes`. */
  write(key: string, version: number | undefined, value: Buffer): number {
    const head = `{"key":${JSON.stringify(key)},"version":${version ?? 'null'},"value":`;
    // UTF-16 to UTF-8: three bytes a unit at the most.
    this.#makeRoom(head.length * 3 + value.length + lineEnd.length);
    const begin = this.#length;
    const from = begin + this.#buffer.write(head, begin);
    const to = from + value.copy(this.#buffer, from);
    withoutLineBreaks(this.#buffer.subarray(from, to));
    this.#length = to + lineEnd.copy(this.#buffer, to);
    return begin;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** A raw line break in JSON can only stand between tokens. */
function withoutLineBreaks(value: Buffer): void {
  for (const byte of [newline, carriageReturn])
    for (let at = value.indexOf(byte); at >= 0; at = value.indexOf(byte, at + 1)) value[at] = 0x20;
}

/** The key of a line of ours, as UTF-8; a view of the line where it can be. */
export function keyOfLine(line: Buffer): Buffer {
  // It cannot be in the key: in a JSON string a quotation mark stands behind a backslash.
  const json = line.subarray(keyBegin.length, line.indexOf(versionMark));
  return json[0] === quote && json.at(-1) === quote && !json.includes(backslash)
    ? json.subarray(1, -1)
    : Buffer.from(JSON.parse(json.toString()) as string);
}

/** What a line says but for its value. @throws Error for a line of another form, or with a value that is not JSON. */
export function readStateLine(line: Buffer): Pick<StateEntry, 'key' | 'version'> {
  // Neither can be in the key: in a JSON string a quotation mark stands behind a backslash.
  const versionAt = line.indexOf(versionMark);
  const valueAt = line.indexOf(valueMark, versionAt);
  if (versionAt < 0 || valueAt < 0 || !line.subarray(0, keyBegin.length).equals(keyBegin))
    throw new Error('it has no key, version and value');
  const state = JSON.parse(line.toString()) as Readonly<Record<string, unknown>>;
  const { key, version } = state;
  if (Object.keys(state).length !== 3 || line.at(-1) !== closingBrace)
    throw new Error('it has more than key, version and value');
  if (typeof key !== 'string') throw new Error('its key is no text');
  if (version !== null && !Number.isSafeInteger(version))
    throw new Error('its version is no number');
  return { key, version: version === null ? undefined : (version as number) };
}
