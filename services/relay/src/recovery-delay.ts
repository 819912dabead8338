/** Exponential with jitter: between half and all of 200 ms, 400 ms, … 10 s. */
export function recoveryDelayMs(attempt: number, random: () => number): number {
  return Math.min(10_000, 200 * 2 ** Math.min(attempt, 10)) * (0.5 + random() / 2);
}

/** The same up to 2 s: a batch is waiting, and asking again is cheap. */
export function sendDelayMs(attempt: number, random: () => number): number {
  return Math.min(2000, recoveryDelayMs(attempt, random));
}
