import * as snappy from 'snappyjs';
import { Unreadable } from '../unreadable.ts';
import { requireWithin } from './codec-limits.ts';

/** Before the blocks of Java's snappy streams: this, and two numbers that say which version wrote them. */
const xerialMagic = Buffer.from('\x82SNAPPY\0', 'latin1');
const xerialHeadBytes = 16;
const longestShortLiteral = 60;

/**
 * One block as librdkafka writes it, or Java's stream of blocks with a length before each.
 * @throws Unreadable for lengths that do not fit, or more than `largestBatchBytes`; the library's error for bytes that are no block
 */
export function unsnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) return unsnappyBlock(bytes, 0);
  if (bytes.length < xerialHeadBytes) throw misfit();
  const blocks: Buffer[] = [];
  let total = 0;
  for (let at = xerialHeadBytes; at < bytes.length;) {
    if (at + 4 > bytes.length) throw misfit();
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > bytes.length) throw misfit();
    const block = unsnappyBlock(bytes.subarray(at, at + length), total);
    total += block.length;
    blocks.push(block);
    at += length;
  }
  return Buffer.concat(blocks, total);
}

/**
 * The library believes what a block says of its lengths: it makes room for the whole, leaves empty what is not filled, and goes back and forth between elements whose
 * lengths are negative to it. So they are added up here before.
 */
function unsnappyBlock(bytes: Buffer, already: number): Buffer {
  const produced = requireWithin(already + producedBy(bytes)) - already;
  const block = snappy.uncompress(bytes, produced);
  if (block.length !== produced)
    throw new Unreadable('a block of its snappy does not become as long as it says');
  return block;
}

/**
 * What the elements of a block become together, behind the varint that says it.
 * Source: https://github.com/google/snappy/blob/main/format_description.txt
 * @throws Unreadable if they do not end where the block ends
 */
function producedBy(bytes: Buffer): number {
  let at = 0;
  while ((bytes[at] ?? 0) >= 0x80) at += 1;
  at += 1;
  let produced = 0;
  while (at < bytes.length) {
    const tag = bytes[at] as number;
    const kind = tag & 0x03;
    at += 1;
    if (kind === 0) {
      const short = (tag >>> 2) + 1;
      const lengthBytes = Math.max(0, short - longestShortLiteral);
      if (at + lengthBytes > bytes.length) throw misfit();
      const length = lengthBytes === 0 ? short : bytes.readUIntLE(at, lengthBytes) + 1;
      at += lengthBytes + length;
      produced += length;
    } else {
      at += kind === 3 ? 4 : kind;
      produced += kind === 1 ? ((tag >>> 2) & 0x07) + 4 : (tag >>> 2) + 1;
    }
  }
  if (at !== bytes.length) throw misfit();
  return produced;
}

function misfit(): Unreadable {
  return new Unreadable('a block of its snappy does not fit its length');
}
