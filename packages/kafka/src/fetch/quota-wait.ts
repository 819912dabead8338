/** A broker that has given nothing for this long because of a quota is told of: it may never give more. */
const tellAfterMs = 30_000;

/**
 * For how long each broker has answered with nothing because of a quota. A batch that is larger than what the quota
 * allows in a window (`quota.window.num` times `quota.window.size.seconds`, about ten seconds by default) is never
 * handed out at all, and nobody but its reader could say so. No input or output.
 */
export class QuotaWait {
  readonly #sinceMs = new Map<number, number>();

  /** It has given something, or failed otherwise. */
  end(nodeId: number): void {
    this.#sinceMs.delete(nodeId);
  }

  /** It has given nothing. @returns why, once that has lasted so long that its readers must be told. */
  begin(nodeId: number, nowMs: number): string | undefined {
    const sinceMs = this.#sinceMs.get(nodeId) ?? nowMs;
    this.#sinceMs.set(nodeId, sinceMs);
    const waitedMs = nowMs - sinceMs;
    if (waitedMs < tellAfterMs) return undefined;
    return `a quota of broker ${nodeId} has held everything back for ${Math.round(waitedMs / 1000)} s: raise the consumer_byte_rate of this user or client, above all if it allows less in ten seconds than the largest batch has`;
  }
}
