import { randomBytes } from 'node:crypto';
import { StackError } from '../../errors.ts';

/** A system identifier that no other server has: 63 random bits, since it is shown as a positive int8. */
export function newSystemIdentifier(): bigint {
  return BigInt.asUintN(63, randomBytes(8).readBigUInt64LE());
}

/**
 * A copy of `pg_control` with another system identifier, and the one that it replaces. The identifier is the first field and a CRC-32C of all
 * fields before it is the last. Where that last field is differs between versions, so it is found by what it holds. Source: Postgres, pg_control.h.
 * @throws StackError where no checksum is found, as on a big-endian machine or in a file of another kind.
 */
export function withSystemIdentifier(
  control: Buffer,
  id: bigint,
): { bytes: Buffer; replaced: bigint } {
  const length = checkedLength(control);
  const bytes = Buffer.from(control);
  const replaced = bytes.readBigUInt64LE(0);
  bytes.writeBigUInt64LE(id, 0);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, length)), length);
  return { bytes, replaced };
}

function checkedLength(control: Buffer): number {
  let crc = initial;
  for (let offset = 0; offset + 8 <= Math.min(control.length, 1024); offset += 4) {
    if (offset > 0 && control.readUInt32LE(offset) === finish(crc)) return offset;
    for (const byte of control.subarray(offset, offset + 4)) crc = step(crc, byte);
  }
  throw new StackError('pg_control holds no checksum that fits: is it a Postgres control file?');
}

const initial = 0xffffffff;
const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

function step(crc: number, byte: number): number {
  return ((table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)) >>> 0;
}

function finish(crc: number): number {
  return (crc ^ 0xffffffff) >>> 0;
}

/** Castagnoli's CRC, which zlib does not have. */
export function crc32c(bytes: Uint8Array): number {
  let crc = initial;
  for (const byte of bytes) crc = step(crc, byte);
  return finish(crc);
}
