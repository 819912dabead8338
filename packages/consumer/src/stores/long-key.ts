import { ConsumerError } from '../errors.ts';
import type { StateEntry } from './state-store.ts';

/** What is thrown where the index of a table does not take a key of these entries: the longest one is meant. */
export function keyTooLong(
  entries: readonly StateEntry[],
  topic: string,
  cause: unknown,
): ConsumerError {
  let longest = entries[0];
  let bytes = 0;
  for (const entry of entries) {
    const length = Buffer.byteLength(entry.key);
    if (length > bytes) [longest, bytes] = [entry, length];
  }
  return new ConsumerError(
    'STORE_FAILED',
    `the key of ${topic}/${longest?.partition} offset ${longest?.offset} has ${bytes} bytes, and the index of a table ` +
      'takes about 2,700: mend its producer, or rebuild into a file; nothing of this step counts',
    { cause },
  );
}
