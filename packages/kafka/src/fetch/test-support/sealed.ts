import { crc32 } from 'node:zlib';
import { crc32c } from '../../wire/crc32c.ts';

/** A batch or message that was changed, with the length and the checksum that fit it now: what its producer meant, not damage. */
export function sealed(bytes: Buffer): Buffer {
  bytes.writeInt32BE(bytes.length - 12, 8);
  if (bytes.readInt8(16) === 2) bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17);
  else bytes.writeUInt32BE(crc32(bytes.subarray(16)), 12);
  return bytes;
}
