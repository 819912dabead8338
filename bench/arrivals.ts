import { setTimeout as delay } from 'node:timers/promises';

/**
 * Calls `arrive` for events 0, 1, 2, … at fixed times, `ratePerSecond` of them a second, whatever became of the earlier ones: an
 * open loop, so that a slow answer delays nobody and no wait is left out of the measurement (coordinated omission).
 * Ends early on `signal`. @returns how many have arrived.
 * What is late (the timer's resolution, a busy loop) arrives at once, in order. `arrive` must not throw.
 */
export async function openLoop(
  {
    count,
    ratePerSecond,
    signal,
  }: { count: number; ratePerSecond: number; signal?: AbortSignal | undefined },
  arrive: (event: number) => void,
): Promise<number> {
  const startedMs = performance.now();
  let event = 0;
  while (event < count && signal?.aborted !== true) {
    const due = dueBy(performance.now() - startedMs, ratePerSecond, count);
    for (; event < due; event += 1) arrive(event);
    await delay(1);
  }
  return event;
}

/** How many events have arrived this long after the start; the first one at once. */
export function dueBy(elapsedMs: number, ratePerSecond: number, count: number): number {
  return Math.min(count, Math.floor((elapsedMs * ratePerSecond) / 1000) + 1);
}
