import * as lz4 from 'lz4js';
import { Unreadable } from '../unreadable.ts';
import { requireWithin } from './codec-limits.ts';

/** The most that a byte of a block can stand for. */
const mostOfByte = 255;
const magic = 0x184d2204;

interface Block {
  readonly at: number;
  readonly length: number;
  /** As it is: it would not have become shorter. */
  readonly isStored: boolean;
}

interface Frame {
  readonly blocks: readonly Block[];
  /** What a block may become. */
  readonly blockBytes: number;
}

/**
 * Decompresses an LZ4 frame. The library believes every length, so the frame is walked here before, and it is only given blocks that lie within it; one that becomes
 * larger than its frame allows ends it.
 * Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 * @throws Unreadable for what is no whole frame, or may become more than `largestBatchBytes`
 */
export function unlz4(bytes: Buffer): Buffer {
  const { blocks, blockBytes } = frameOf(bytes);
  const boundOf = ({ length, isStored }: Block) =>
    isStored ? length : Math.min(blockBytes, length * mostOfByte);
  const to = new Uint8Array(requireWithin(blocks.reduce((sum, block) => sum + boundOf(block), 0)));
  let end = 0;
  for (const block of blocks) {
    const { at, length, isStored } = block;
    const most = end + boundOf(block);
    if (isStored) {
      to.set(bytes.subarray(at, at + length), end);
      end += length;
    } else end = lz4.decompressBlock(bytes, to, at, length, end);
    if (!(end <= most)) throw broken('a block becomes larger than it may');
  }
  // A bound is often far above what came of it, and records are views of it.
  const isTight = end * 2 > to.length;
  return isTight ? Buffer.from(to.buffer, 0, end) : Buffer.from(to.subarray(0, end));
}

function frameOf(bytes: Buffer): Frame {
  if (bytes.length < 11 || bytes.readUInt32LE(0) !== magic)
    throw broken('it does not begin as one');
  const flags = bytes.readUInt8(4);
  const [hasBlockChecksums, hasContentSize, hasContentChecksum, hasDictionary] = [
    0x10, 0x08, 0x04, 0x01,
  ].map((flag) => (flags & flag) !== 0);
  if (flags >>> 6 !== 1 || hasDictionary) throw broken('it is of a kind that Kafka does not have');
  const sizeCode = (bytes.readUInt8(5) >>> 4) & 0x07;
  if (sizeCode < 4) throw broken('its blocks have no known size');
  const blockBytes = 2 ** (8 + 2 * sizeCode);
  const blocks: Block[] = [];
  let at = 6 + (hasContentSize ? 8 : 0) + 1;
  for (;;) {
    if (at + 4 > bytes.length) throw broken('it has no end');
    const word = bytes.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const length = word & 0x7fffffff;
    if (length > blockBytes || at + length > bytes.length) throw broken('a block does not fit');
    blocks.push({ at, length, isStored: word >>> 31 === 1 });
    at += length + (hasBlockChecksums ? 4 : 0);
  }
  if (at + (hasContentChecksum ? 4 : 0) > bytes.length) throw broken('it has no end');
  return { blocks, blockBytes };
}

function broken(why: string): Unreadable {
  return new Unreadable(`its LZ4 frame is broken: ${why}`);
}
