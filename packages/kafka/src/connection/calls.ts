/** A request that is out. */
export interface Call {
  readonly sinceMs: number;
  /** For how long the broker may move no byte. */
  readonly silenceMs: number;
  readonly maxAnswerBytes: number;
}

/**
 * The calls that are out on one connection, and for how long the broker may be silent meanwhile. A broker that has
 * sent a throttle takes nothing from its connection until that is over (KIP-219), also of what it was sent before:
 * that is no silence. No input or output; monotonic ms.
 */
export class Calls {
  readonly #calls = new Set<Call>();
  #readMs = -Infinity;
  #mutedUntilMs = -Infinity;

  begin(call: Call): void {
    this.#calls.add(call);
  }

  end(call: Call): void {
    this.#calls.delete(call);
  }

  /** Something has come. */
  read(nowMs: number): void {
    this.#readMs = nowMs;
  }

  /** The broker wants to be left alone until then. */
  muted(untilMs: number): void {
    this.#mutedUntilMs = Math.max(this.#mutedUntilMs, untilMs);
  }

  /** How large the largest answer that is waited for may be; undefined if none is. */
  get maxAnswerBytes(): number | undefined {
    const sizes = Array.from(this.#calls, ({ maxAnswerBytes }) => maxAnswerBytes);
    return sizes.length === 0 ? undefined : Math.max(...sizes);
  }

  /** For how long from now on nothing need move, for the call that may take longest; 0 if none is out. */
  limitMs(nowMs: number): number {
    if (this.#calls.size === 0) return 0;
    const longest = Math.max(...Array.from(this.#calls, ({ silenceMs }) => silenceMs));
    return longest + Math.max(0, this.#mutedUntilMs - nowMs);
  }

  /** The limit that is passed by now, for a call that is out; undefined if none is. */
  passedLimitMs(nowMs: number): number | undefined {
    for (const { sinceMs, silenceMs } of this.#calls)
      if (nowMs - Math.max(sinceMs, this.#readMs, this.#mutedUntilMs) > silenceMs) return silenceMs;
    return undefined;
  }
}
