/** One row of the staging table; `value` is JSON. */
export interface StagedRow {
  readonly key: string;
  readonly version: number | undefined;
  readonly value: Buffer;
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** Columns, three lengths, the version. */
const rowOverhead = 2 + 4 + 4 + 8 + 4;

/**
 * Rows as COPY takes them in binary form: bytes are copied once, and nothing has to be escaped.
 * Source: Postgres, COPY, "Binary Format"; numbers are highest byte first, −1 is the length of a null.
 */
export function copyRows(rows: readonly StagedRow[]): Buffer {
  let size = signature.length + 2;
  // UTF-16 to UTF-8: three bytes a unit at the most.
  for (const { key, value } of rows) size += rowOverhead + key.length * 3 + value.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = signature.copy(bytes);
  for (const { key, version, value } of rows) {
    at = bytes.writeInt16BE(3, at);
    const keyLength = bytes.write(key, at + 4);
    at = bytes.writeInt32BE(keyLength, at) + keyLength;
    if (version === undefined) at = bytes.writeInt32BE(-1, at);
    else {
      at = bytes.writeInt32BE(8, at);
      at = bytes.writeInt32BE(Math.floor(version / 0x1_0000_0000), at);
      at = bytes.writeUInt32BE(version >>> 0, at);
    }
    at = bytes.writeInt32BE(value.length, at);
    at += value.copy(bytes, at);
  }
  at = bytes.writeInt16BE(-1, at);
  return bytes.subarray(0, at);
}
