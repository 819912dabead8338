/**
 * How long to wait before attempt number `attempt + 1`, in milliseconds: uniformly random between a floor of half of `baseMs` and a ceiling that
 * doubles with each attempt up to `maxMs`. The jitter keeps many clients of one server apart; the floor keeps a lucky draw of zero
 * from becoming a busy loop. Source: "Exponential Backoff And Jitter", AWS Architecture Blog (full jitter).
 * @param options.attempt failed attempts so far, from 1.
 * @param options.random gives a number in [0, 1).
 */
export function backoffMs({
  attempt,
  baseMs,
  maxMs,
  random,
}: {
  readonly attempt: number;
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}): number {
  // 2 ** 30 is beyond every sensible ceiling and far from infinity.
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 30));
  const floorMs = Math.min(baseMs / 2, ceilingMs);
  return floorMs + random() * (ceilingMs - floorMs);
}
