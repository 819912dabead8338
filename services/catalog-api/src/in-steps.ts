import type { Clock } from '@outbound/service-kit';

/**
 * Does a piece of work again and again until a step finds less than `limit` to do, so it keeps up however much there is; and ends all the same after `budgetMs`, or
 * when it is told to. Behind each step is a pause as long as the step took: at most half of the time a connection is held.
 * @param step does at most `limit`, gives how much it did.
 * @returns how much was done in all.
 */
export async function inSteps(
  step: () => Promise<number>,
  options: {
    readonly limit: number;
    readonly budgetMs: number;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const { limit, budgetMs, clock, signal } = options;
  const endsAt = clock.nowMs() + budgetMs;
  let total = 0;
  for (;;) {
    const startedAt = clock.nowMs();
    const done = await step();
    total += done;
    if (done < limit || signal.aborted) return total;
    await clock.sleep(clock.nowMs() - startedAt, signal);
    if (signal.aborted || clock.nowMs() >= endsAt) return total;
  }
}
