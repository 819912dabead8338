import { Unreadable } from '../unreadable.ts';

/** What one batch may grow to: far above what producers send, and far below what would hurt. */
export const largestBatchBytes = 128 * 1024 * 1024;

/** The same number. @throws Unreadable above `largestBatchBytes` */
export function requireWithin(byteCount: number): number {
  if (byteCount > largestBatchBytes) throw tooLarge();
  return byteCount;
}

/** What is said of a batch that becomes more than `largestBatchBytes`. */
export function tooLarge(): Unreadable {
  return new Unreadable(
    `its batch decompresses to more than ${largestBatchBytes} bytes, which is the most that is held in memory: write smaller batches`,
  );
}
