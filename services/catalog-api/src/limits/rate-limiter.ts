/** What is left to a caller after a request. Source of the headers: Zalando rule 153. */
export interface RateStanding {
  readonly isAdmitted: boolean;
  /** Requests that would be admitted now. */
  readonly remaining: number;
  /** Until everything is there again, rounded up. */
  readonly resetSeconds: number;
  /** Until the next request is admitted, rounded up; 0 if now. */
  readonly retryAfterSeconds: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * A token bucket for each caller: `perSecond` requests in the long run, `burst` at once. The table is bounded: at `maxCallers` the one who asked least
 * recently is forgotten, which gives him a full bucket; he had not asked for as long as all the others have.
 */
export class RateLimiter {
  readonly perSecond: number;
  readonly #burst: number;
  readonly #maxCallers: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor({
    perSecond,
    burst,
    maxCallers = 10_000,
  }: {
    readonly perSecond: number;
    readonly burst: number;
    readonly maxCallers?: number;
  }) {
    this.perSecond = perSecond;
    // Less than one request would admit nobody.
    this.#burst = Math.max(1, burst);
    this.#maxCallers = maxCallers;
  }

  get callerCount(): number {
    return this.#buckets.size;
  }

  /** Counts a request of the caller, if it is admitted. @param nowMs of a clock that is never set back. */
  take(caller: string, nowMs: number): RateStanding {
    const found = this.#buckets.get(caller);
    const bucket = found ?? { tokens: this.#burst, atMs: nowMs };
    bucket.tokens = Math.min(
      this.#burst,
      bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * this.perSecond,
    );
    bucket.atMs = nowMs;
    const isAdmitted = bucket.tokens >= 1;
    if (isAdmitted) bucket.tokens -= 1;
    // Last in the order of the map: asked most recently.
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    if (this.#buckets.size > this.#maxCallers) this.#forgetOldest();
    return {
      isAdmitted,
      remaining: Math.floor(bucket.tokens),
      resetSeconds: Math.ceil((this.#burst - bucket.tokens) / this.perSecond),
      retryAfterSeconds: Math.max(0, Math.ceil((1 - bucket.tokens) / this.perSecond)),
    };
  }

  #forgetOldest(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
