import * as zlib from 'node:zlib';
import { Decompress as ZstdStream } from 'fzstd';
import * as lz4 from 'lz4js';
import * as snappy from 'snappyjs';
import { Unreadable } from './unreadable.ts';

/** What one batch may grow to: far above what producers send, and far below what would hurt. */
export const largestBatchBytes = 128 * 1024 * 1024;

/** Before the blocks of Java's snappy streams: this, and two numbers that say which version wrote them. */
const xerialMagic = Buffer.from('\x82SNAPPY\0', 'latin1');
const xerialHeadBytes = 16;

/**
 * The records of a batch, by the codec that its attributes name; with no compression the same bytes. At once, because records are handed out in one go; and by libraries
 * without native parts, so that it runs wherever we do.
 * @throws Unreadable for a codec that Kafka does not have, or for more than `largestBatchBytes`; the library's error for bytes that are not of the codec
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  switch (codec) {
    case 0:
      return bytes;
    case 1:
      return zlib.gunzipSync(bytes, { maxOutputLength: largestBatchBytes });
    case 2:
      return unsnappy(bytes);
    case 3:
      return unlz4(bytes);
    case 4:
      return unzstd(bytes);
    default:
      throw new Unreadable(`its batch is compressed with codec ${codec}, which is not known here`);
  }
}

/** One block as librdkafka writes it, or Java's stream of blocks with a length before each. */
function unsnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) return unsnappyBlock(bytes, 0);
  const blocks: Buffer[] = [];
  let total = 0;
  for (let at = xerialHeadBytes; at < bytes.length;) {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > bytes.length)
      throw new Unreadable('a block of its snappy stream does not fit');
    const block = unsnappyBlock(bytes.subarray(at, at + length), total);
    total += block.length;
    blocks.push(block);
    at += length;
  }
  return Buffer.concat(blocks, total);
}

function unsnappyBlock(bytes: Buffer, already: number): Buffer {
  return snappy.uncompress(bytes, largestBatchBytes - already);
}

function unlz4(bytes: Buffer): Buffer {
  const most = lz4.decompressBound(bytes);
  // A size beyond 32 bits may come out as a negative one.
  if (most < 0 || most > largestBatchBytes) throw tooLarge();
  return viewOf(lz4.decompress(bytes, most));
}

interface NodeWithZstd {
  /** From Node 22.15 on. */
  readonly zstdDecompressSync?: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
}

function unzstd(bytes: Buffer): Buffer {
  const { zstdDecompressSync } = zlib as NodeWithZstd;
  if (zstdDecompressSync) return zstdDecompressSync(bytes, { maxOutputLength: largestBatchBytes });
  const pieces: Uint8Array[] = [];
  let total = 0;
  const stream = new ZstdStream((piece) => {
    total += piece.length;
    if (total > largestBatchBytes) throw tooLarge();
    pieces.push(piece);
  });
  stream.push(bytes, true);
  return Buffer.concat(pieces, total);
}

function tooLarge(): Unreadable {
  return new Unreadable(`its batch decompresses to more than ${largestBatchBytes} bytes`);
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
