import { Unreadable } from '../unreadable.ts';

const magic = 0xfd2fb528;
const largestBlockBytes = 128 * 1024;
const repeatedByteBlock = 1;
const compressedBlock = 2;

/** One frame, whole. */
export interface ZstdFrame {
  readonly bytes: Buffer;
  /** The most that it can decompress to, by the lengths of its blocks: the size that a frame says itself may be a lie. */
  readonly bound: number;
}

/**
 * The frames of which the bytes are made, at least one. A frame without an end is refused: decoders give what came before it without a word; and Node's own stops
 * at the end of the first one.
 * Source: RFC 8878, 3.1.1
 * @throws Unreadable for what is not made of whole frames
 */
export function zstdFrames(bytes: Buffer): readonly ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  let at = 0;
  do {
    const frame = frameAt(bytes, at);
    frames.push(frame);
    at += frame.bytes.length;
  } while (at < bytes.length);
  return frames;
}

function frameAt(bytes: Buffer, start: number): ZstdFrame {
  if (start + 5 > bytes.length || bytes.readUInt32LE(start) !== magic)
    throw broken('it does not begin as one');
  const descriptor = bytes.readUInt8(start + 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 0x03] ?? 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes;
  let bound = 0;
  for (let isLast = false; !isLast;) {
    if (at + 3 > bytes.length) throw broken('it has no end');
    const header = bytes.readUIntLE(at, 3);
    isLast = (header & 1) === 1;
    const type = (header >>> 1) & 0x03;
    const size = header >>> 3;
    if (type > compressedBlock || size > largestBlockBytes)
      throw broken('a block is of a kind that there is not');
    bound += type === compressedBlock ? largestBlockBytes : size;
    at += 3 + (type === repeatedByteBlock ? 1 : size);
  }
  const hasChecksum = (descriptor & 0x04) !== 0;
  const end = at + (hasChecksum ? 4 : 0);
  if (end > bytes.length) throw broken('it has no end');
  return { bytes: bytes.subarray(start, end), bound };
}

function broken(why: string): Unreadable {
  return new Unreadable(`its zstd frame is broken: ${why}`);
}
