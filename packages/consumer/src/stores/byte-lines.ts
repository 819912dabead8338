import type { FileHandle } from 'node:fs/promises';

const newline = 10;

/** Some lines of a file that stand one behind the other, with their ends. */
export interface LineChunk {
  /**
   * Byte for byte; the last line of a file may have no end. Good until the next is asked for, and the reader's to
   * change.
   */
  readonly bytes: Buffer;
  /** Where in the file they begin. */
  readonly position: number;
}

/**
 * A part of a file, in chunks of whole lines.
 * @throws RangeError for a line longer than `maxLineBytes`, before more of it is read.
 */
export async function* lineChunks(
  file: FileHandle,
  {
    from = 0,
    to = Infinity,
    maxLineBytes,
    chunkBytes = 1024 * 1024,
  }: {
    readonly from?: number;
    readonly to?: number;
    readonly maxLineBytes: number;
    readonly chunkBytes?: number;
  },
): AsyncGenerator<LineChunk> {
  let buffer = Buffer.allocUnsafe(chunkBytes);
  let other = Buffer.allocUnsafe(chunkBytes);
  /** What the buffer holds of a line whose end has not been read. */
  let rest = 0;
  for (let position = from; ;) {
    if (rest > maxLineBytes) throw new RangeError(`it is longer than ${maxLineBytes} bytes`);
    if (rest === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
    const most = Math.min(buffer.length - rest, to - position - rest);
    const { bytesRead } = await file.read(buffer, rest, most, position + rest);
    const end = rest + bytesRead;
    if (bytesRead === 0) {
      if (end > 0) yield { bytes: buffer.subarray(0, end), position };
      return;
    }
    const whole = buffer.subarray(0, end).lastIndexOf(newline) + 1;
    if (whole > 0) {
      // Before it is given away, and changed.
      if (other.length < buffer.length) other = Buffer.allocUnsafe(buffer.length);
      buffer.copy(other, 0, whole, end);
      yield { bytes: buffer.subarray(0, whole), position };
      [buffer, other] = [other, buffer];
    }
    position += whole;
    rest = end - whole;
  }
}

/** Calls for each line of a chunk, with where it begins and ends in it, its end left out. */
export function eachLine(bytes: Buffer, take: (begin: number, end: number) => void): void {
  for (let begin = 0; begin < bytes.length;) {
    const found = bytes.indexOf(newline, begin);
    const end = found < 0 ? bytes.length : found;
    take(begin, end);
    begin = end + 1;
  }
}
