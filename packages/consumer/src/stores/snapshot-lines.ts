import type { StoredState } from './memory-store.ts';

const newline = 10;
const carriageReturn = 13;
const closingBrace = 0x7d;
const keyBegin = Buffer.from('{"key":');
const versionMark = Buffer.from(',"version":');
const valueMark = Buffer.from(',"value":');
const lineEnd = Buffer.from('}\n');
const bufferBytes = 1024 * 1024;

/**
 * The lines of a snapshot, `{"key":…,"version":…,"value":…}`, gathered into buffers of a megabyte or so. The value's bytes are copied once and stay
 * what they are, but for line breaks between its tokens, which become spaces. The values have to be JSON.
 * A buffer that was given is written over when the next one is asked for.
 */
export function* snapshotLines(states: Iterable<[string, StoredState]>): Generator<Buffer> {
  let buffer = Buffer.allocUnsafe(bufferBytes);
  let at = 0;
  for (const [key, { version, value }] of states) {
    const head = `{"key":${JSON.stringify(key)},"version":${version ?? 'null'},"value":`;
    // UTF-16 to UTF-8: three bytes a unit at the most.
    const most = head.length * 3 + value.length + lineEnd.length;
    if (at + most > buffer.length) {
      if (at > 0) yield buffer.subarray(0, at);
      at = 0;
      if (most > buffer.length) buffer = Buffer.allocUnsafe(most);
    }
    at += buffer.write(head, at);
    const end = at + value.copy(buffer, at);
    withoutLineBreaks(buffer, at, end);
    at = end + lineEnd.copy(buffer, end);
  }
  yield buffer.subarray(0, at);
}

/** A raw line break in JSON can only stand between tokens. */
function withoutLineBreaks(buffer: Buffer, from: number, to: number): void {
  const value = buffer.subarray(from, to);
  for (const byte of [newline, carriageReturn])
    for (let at = value.indexOf(byte); at >= 0; at = value.indexOf(byte, at + 1)) value[at] = 0x20;
}

/** @throws Error for a line of another form, or with a value that is not JSON. The value is a view. */
export function readStateLine(line: Buffer): { readonly key: string } & StoredState {
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
  return {
    key,
    version: version === null ? undefined : (version as number),
    value: line.subarray(valueAt + valueMark.length, line.length - 1),
  };
}
