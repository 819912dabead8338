import { gunzipSync } from 'node:zlib';
import { Unreadable } from '../unreadable.ts';
import { largestBatchBytes } from './codec-limits.ts';
import { unlz4 } from './lz4.ts';
import { unsnappy } from './snappy.ts';
import { unzstd } from './zstd.ts';

/**
 * The records of a batch, by the codec that its attributes name; with no compression the same bytes. At once, because records are handed out in one go; and by libraries
 * without native parts, so that it runs wherever we do. Time and memory are bounded by the length of the bytes, whatever they say. **Order**: `zstdReady` has resolved.
 * @throws Unreadable for a codec that Kafka does not have, for what is cut off, or for more than `largestBatchBytes`; the library's error for bytes that are not of the codec
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  switch (codec) {
    case 0:
      return bytes;
    case 1:
      return gunzipSync(bytes, { maxOutputLength: largestBatchBytes });
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
