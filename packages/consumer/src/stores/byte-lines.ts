import type { FileHandle } from 'node:fs/promises';

const newline = 10;

/**
 * The lines of a file, byte for byte, without their ends; what comes behind the last end is a line too, if it is not empty. Each is a view until the next is asked for.
 * @throws RangeError for a line longer than `maxBytes`, before more of it is read.
 */
export async function* byteLines(
  file: FileHandle,
  {
    maxBytes,
    chunkBytes = 1024 * 1024,
  }: { readonly maxBytes: number; readonly chunkBytes?: number },
): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for (;;) {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    const { bytesRead } = await file.read(chunk, 0, chunkBytes);
    if (bytesRead === 0) break;
    let begin = 0;
    const read = chunk.subarray(0, bytesRead);
    for (let at = read.indexOf(newline); at >= 0; at = read.indexOf(newline, begin)) {
      const line = read.subarray(begin, at);
      yield rest.length === 0 ? line : Buffer.concat([rest, line]);
      rest = Buffer.alloc(0);
      begin = at + 1;
    }
    rest = Buffer.concat([rest, read.subarray(begin)]);
    if (rest.length > maxBytes) throw new RangeError(`it is longer than ${maxBytes} bytes`);
  }
  if (rest.length > 0) yield rest;
}
