/** Why a request has no answer that settles it. */
export interface Failure {
  /** Of the answer; undefined where the connection broke, or no answer came in time. */
  readonly status: number | undefined;
  /** Problem type of the catalog API (RFC 9457); undefined where somebody else answered. */
  readonly problemType: string | undefined;
  /** `Retry-After`; 0 without it. */
  readonly retryAfterMs: number;
}

/** What to do about it. */
export interface RetryPlan {
  /** Another try is worth it, and does nothing twice. */
  readonly repeats: boolean;
  /** The request may have been done, although nobody says so. */
  readonly isUnknown: boolean;
}

/** Nothing was begun, whoever answers so. Source: RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4. */
const refusedWithoutTrace: ReadonlySet<number> = new Set([408, 425, 429]);
/** Passing faults; what they leave behind depends on who says so. */
const passing: ReadonlySet<number> = new Set([502, 503, 504]);

/**
 * Whether to repeat a request. What is known to have done nothing is repeated whatever it is; what may have been done only if a repetition does no harm: it reads, or has
 * an Idempotency-Key, under which the API gives its first answer again. The API's own 503 says that nothing was written, but for `outcome-unknown`; one of a proxy says nothing.
 * @param request.isRepeatable it reads, or has a key.
 */
export function planRetry(
  request: { readonly isRepeatable: boolean },
  { status, problemType }: Failure,
): RetryPlan {
  if (status !== undefined && refusedWithoutTrace.has(status))
    return { repeats: true, isUnknown: false };
  if (status !== undefined && !passing.has(status)) return { repeats: false, isUnknown: false };
  const isUnknown =
    status !== 503 || problemType === undefined || problemType === '/problems/outcome-unknown';
  return { repeats: !isUnknown || request.isRepeatable, isUnknown };
}

/** Whether a status passes by itself, of an answer or of one item of a batch. */
export function isPassing(status: number): boolean {
  return refusedWithoutTrace.has(status) || passing.has(status);
}

/** Longest pause that a server can ask for. */
const maxRetryAfterMs = 60_000;

/** `Retry-After` in milliseconds, at most a minute; 0 where there is none. Source: RFC 9110 10.2.3. */
export function retryAfterMs(header: string | null, wallMs: number): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - wallMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), maxRetryAfterMs) : 0;
}

/**
 * The pause before the next try: random below a ceiling that doubles with each attempt up to `maxMs`, so that many clients do not come back together, and never shorter than the
 * server asks for.
 * @param attempt that failed, from 1.
 */
export function pauseMs(
  attempt: number,
  {
    baseMs,
    maxMs,
    random,
    retryAfter,
  }: {
    readonly baseMs: number;
    readonly maxMs: number;
    readonly random: () => number;
    readonly retryAfter: number;
  },
): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  const floorMs = Math.min(baseMs / 2, ceilingMs);
  // Also above what the server asks for: it tells everybody the same.
  return retryAfter + floorMs + random() * (ceilingMs - floorMs);
}
