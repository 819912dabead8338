import { setTimeout as delay } from 'node:timers/promises';

/**
 * The first truthy value that `check` gives; an error of `check` counts as "not yet". For a state that nothing announces: where there is an event, wait for the event.
 * @throws Error after `timeoutMs` (default 10 s), naming the last value, with the last error as its cause.
 */
export async function eventually<Value>(
  check: () => Promise<Value> | Value,
  { timeoutMs = 10_000, intervalMs = 25 }: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<Exclude<Value, false | null | undefined | 0 | ''>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    let lastError: Error | undefined;
    try {
      const value = await check();
      if (value) return value as Exclude<Value, false | null | undefined | 0 | ''>;
      last = value;
    } catch (error) {
      lastError = error instanceof Error ? error : new Error(String(error));
    }
    if (performance.now() > deadline) {
      const seen =
        lastError === undefined ? `last value ${String(last)}` : `last error ${lastError.message}`;
      throw new Error(`not true within ${timeoutMs} ms: ${seen}`, { cause: lastError });
    }
    await delay(intervalMs);
  }
}
