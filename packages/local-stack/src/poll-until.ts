import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from './errors.ts';

/**
 * Asks again and again until the answer is neither undefined nor false, and gives that answer. An error of `ask` counts as "not yet".
 * The timers keep the process alive while it waits, as the servers themselves do not.
 * @throws StackError `<what> within <ms>` with the last error as its cause.
 */
export async function pollUntil<Answer>(
  ask: () => Promise<Answer | undefined | false> | Answer | undefined | false,
  { what, timeoutMs, intervalMs = 20 }: { what: string; timeoutMs: number; intervalMs?: number },
): Promise<Answer> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let lastError: unknown;
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      if (error instanceof StackError) throw error;
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new StackError(`${what}: not within ${timeoutMs} ms`, { cause: lastError });
    await delay(intervalMs);
  }
}
