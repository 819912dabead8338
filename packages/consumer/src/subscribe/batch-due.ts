/** When a batch is handed over: at the first of these, or when no more events can wait with it. */
export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** How long the oldest waiting event waits for others, milliseconds. */
  readonly maxWaitMs: number;
}

/** How long until a batch of what waits is due, milliseconds; 0: now. Undefined if nothing waits. */
export function batchDueInMs(
  waiting: {
    readonly count: number;
    readonly bytes: number;
    readonly oldestMs: number;
    /** Nothing more comes before some of it is handled. */
    readonly isAll: boolean;
  },
  nowMs: number,
  { maxEvents, maxBytes, maxWaitMs }: BatchLimits,
): number | undefined {
  if (waiting.count === 0) return undefined;
  if (waiting.isAll || waiting.count >= maxEvents || waiting.bytes >= maxBytes) return 0;
  return Math.max(0, waiting.oldestMs + maxWaitMs - nowMs);
}
