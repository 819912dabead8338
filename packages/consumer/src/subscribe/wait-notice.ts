const firstPauseMs = 1_000;
const longestPauseMs = 300_000;

/** When something that lasts is told again: at once, after a second, and then each time after twice as long, up to five minutes. Pure. */
export class WaitNotice {
  #sinceMs: number | undefined;
  #nextMs = 0;
  #pauseMs = firstPauseMs;

  /** How long it has lasted, milliseconds, if it is to be told now; undefined if not. */
  due(nowMs: number): number | undefined {
    this.#sinceMs ??= nowMs;
    if (nowMs < this.#nextMs) return undefined;
    this.#nextMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
    return nowMs - this.#sinceMs;
  }

  /** It is over; gives how long it had lasted, undefined if there was nothing. */
  over(nowMs: number): number | undefined {
    const lastedMs = this.#sinceMs === undefined ? undefined : nowMs - this.#sinceMs;
    this.#sinceMs = undefined;
    this.#nextMs = 0;
    this.#pauseMs = firstPauseMs;
    return lastedMs;
  }
}
