import { setTimeout as delay } from 'node:timers/promises';

/** Time as the core sees it; the simulator gives it another one. */
export interface Clock {
  /** Monotonic milliseconds: never steps with the wall clock. */
  nowMs(): number;
  /** Milliseconds since 1970, for lag against commit times only. */
  wallMs(): number;
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch {
      // Aborted: the caller looks at its signal.
    }
  },
};
