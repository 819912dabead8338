/** When a batch is handed over: at the first of these. */
export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** How long the oldest waiting event waits for others, milliseconds. */
  readonly maxWaitMs: number;
}

/** How long until a batch of what waits is due, milliseconds; 0: now. Undefined if nothing waits. */
export function batchDueInMs(
  waiting: { readonly count: number; readonly bytes: number; readonly oldestMs: number },
  nowMs: number,
  { maxEvents, maxBytes, maxWaitMs }: BatchLimits,
): number | undefined {
  if (waiting.count === 0) return undefined;
  if (waiting.count >= maxEvents || waiting.bytes >= maxBytes) return 0;
  return Math.max(0, waiting.oldestMs + maxWaitMs - nowMs);
}
