import type { Clock } from '@outbound/service-kit';

/**
 * Waits for the work, but no longer than `limitMs`; gives whether it ended in time.
 * @throws what the work throws, if it does so in time; later it is not heard of.
 */
export async function within(
  clock: Clock,
  limitMs: number,
  work: Promise<unknown>,
): Promise<boolean> {
  const ended = new AbortController();
  try {
    return await Promise.race([
      work.then(() => true),
      clock.sleep(limitMs, ended.signal).then(() => false),
    ]);
  } finally {
    ended.abort();
  }
}
