import { setTimeout as delay } from 'node:timers/promises';
import { isPassing, pauseMs, planRetry, retryAfterMs, type Failure } from './retry-plan.ts';

/** A request as the client sends it. */
export interface Exchange {
  readonly method: string;
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/** An answer, whole. */
export interface Reply {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  readonly text: string;
}

/** One exchange. */
export type Send = (exchange: Exchange) => Promise<Reply>;

/** Time and chance, so that a test decides them. */
export interface ClientClock {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Milliseconds since 1970, for a Retry-After that is a date. */
  readonly wallMs: () => number;
  /** @throws the signal's reason when it aborts */
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

/** How a client tries again. */
export interface RetryOptions {
  /** Longest time from the first try to the end of the last pause, ms: 30,000. 0 tries once. */
  readonly patienceMs?: number;
  /** Longest time for one try with its answer, ms: 30,000. */
  readonly attemptTimeoutMs?: number;
  /** Ceiling of the first pause, ms: 200. It doubles with each. */
  readonly basePauseMs?: number;
  /** Ceiling of every pause, ms: 15,000. */
  readonly maxPauseMs?: number;
  readonly clock?: ClientClock;
  /** In [0, 1). */
  readonly random?: () => number;
  /**
   * Idempotency-Keys for writes that come without one; random UUIDs by default. With null they stay without, and a write of which nobody knows whether it was done is not repeated: its
   * caller has to look, or to repeat it under its precondition.
   */
  readonly newKey?: (() => string) | null;
  /** Told before each pause. */
  readonly onWait?: (wait: {
    readonly why: string;
    readonly waitMs: number;
    readonly attempt: number;
  }) => void;
  /** One try, to be given up when its signal aborts; over `fetch` by default. */
  readonly transport?: Send;
}

/** Headers of each try, such as a token that is still good. */
export type Authorize = () => Promise<Readonly<Record<string, string>>>;

/** Nobody answered in time. What the request would have done is not done, unless `isOutcomeUnknown`. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  /** The request may have been done: repeat it with the same Idempotency-Key, or look. */
  readonly isOutcomeUnknown: boolean;
  readonly idempotencyKey: string | undefined;
  /** Why there was no answer at last, such as `ECONNREFUSED`. */
  readonly reason: string;
  constructor(
    what: string,
    facts: {
      readonly cause: unknown;
      readonly isOutcomeUnknown: boolean;
      readonly idempotencyKey: string | undefined;
    },
  ) {
    const reason = reasonOf(facts.cause);
    super(`${what} (${reason})`, { cause: facts.cause });
    this.reason = reason;
    this.isOutcomeUnknown = facts.isOutcomeUnknown;
    this.idempotencyKey = facts.idempotencyKey;
  }
}

const systemClock: ClientClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};
/** Tries of an item that is answered 500. */
const serverFaultTries = 3;
const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** One exchange over the platform's `fetch`. */
const overFetch: Send = async ({ url, method, headers, body, signal }) => {
  const answer = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};

/**
 * Sends as a caller of the catalog API should: again after 408, 425, 429 and 503, with growing, random pauses and no sooner than `Retry-After` says; after a broken connection, an answer that
 * ends too early, 502 and 504 too, since each write has an Idempotency-Key, the same in each try (one is made where there is none): so what was done before is told and not done again.
 * A batch of which items met such a fault is sent again, and goes on with those.
 * @param authorize headers of each try, such as a token that is still good.
 * @returns the last answer, when patience ends with one.
 * @throws NoAnswerError when it ends without one; the signal's reason when the caller aborts.
 */
export function createSender(
  options: RetryOptions,
  authorize: Authorize = () => Promise.resolve({}),
): Send {
  const {
    patienceMs = 30_000,
    attemptTimeoutMs = 30_000,
    basePauseMs = 200,
    maxPauseMs = 15_000,
    clock = systemClock,
    random = Math.random,
    newKey = () => crypto.randomUUID(),
    onWait,
    transport = overFetch,
  } = options;

  const once = async (exchange: Exchange): Promise<Reply> => {
    const timeout = AbortSignal.timeout(attemptTimeoutMs);
    const { signal } = exchange;
    return transport({
      ...exchange,
      headers: { ...exchange.headers, ...(await authorize()) },
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  };

  return async (given) => {
    const { method, signal } = given;
    const isRead = reading.has(method);
    const key = isRead ? undefined : (given.headers['idempotency-key'] ?? newKey?.());
    const exchange: Exchange =
      key === undefined
        ? given
        : { ...given, headers: { ...given.headers, 'idempotency-key': key } };
    const deadlineMs = clock.nowMs() + patienceMs;
    let mayBeDone = false;
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      let reply: Reply | undefined;
      let fault: unknown;
      try {
        reply = await once(exchange);
        if (!isPassing(reply.status) && !hasPassingItems(reply, attempt)) return reply;
      } catch (error) {
        signal?.throwIfAborted();
        fault = error;
      }
      const failure = failureOf(reply, clock.wallMs());
      const { repeats, isUnknown } = planRetry(
        { isRepeatable: isRead || key !== undefined },
        failure,
      );
      mayBeDone ||= isUnknown && !isRead;
      const waitMs = pauseMs(attempt, {
        baseMs: basePauseMs,
        maxMs: maxPauseMs,
        random,
        retryAfter: failure.retryAfterMs,
      });
      if (!repeats || clock.nowMs() + waitMs > deadlineMs) {
        if (reply !== undefined) return reply;
        const { pathname } = new URL(given.url);
        throw new NoAnswerError(`${method} ${pathname} got no answer in ${attempt} tries`, {
          cause: fault,
          isOutcomeUnknown: mayBeDone,
          idempotencyKey: key,
        });
      }
      onWait?.({ why: whyOf(reply, fault), waitMs, attempt });
      await clock.sleep(waitMs, signal);
    }
  };
}

function whyOf(reply: Reply | undefined, fault: unknown): string {
  if (reply === undefined) return `gives no answer (${reasonOf(fault)})`;
  return reply.status === 207 ? 'answers 503 for items' : `answers ${reply.status}`;
}

/** A batch whose items met what passes. One that fails the service itself is told after some tries. */
function hasPassingItems({ status, text }: Reply, attempt: number): boolean {
  if (status !== 207) return false;
  // Within a string the quotes would be escaped.
  return attempt < serverFaultTries
    ? /"status":(?:408|425|429|5\d\d)\b/.test(text)
    : /"status":(?:408|425|429|50[234])\b/.test(text);
}

function failureOf(reply: Reply | undefined, wallMs: number): Failure {
  if (reply === undefined) return { status: undefined, problemType: undefined, retryAfterMs: 0 };
  const { status, headers, text } = reply;
  // Of items: some may be done, and under its key the batch goes on with the others.
  if (status === 207) return { status: 503, problemType: undefined, retryAfterMs: 0 };
  const isProblem = headers.get('content-type')?.startsWith('application/problem+json');
  return {
    status,
    problemType: isProblem === true ? problemTypeOf(text) : undefined,
    retryAfterMs: retryAfterMs(headers.get('retry-after'), wallMs),
  };
}

function problemTypeOf(text: string): string | undefined {
  try {
    const { type } = JSON.parse(text) as { readonly type?: unknown };
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` says "fetch failed" and keeps the reason beneath. */
function reasonOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as {
    readonly code?: unknown;
    readonly cause?: { readonly code?: unknown; readonly message?: unknown };
  };
  for (const said of [cause?.code, cause?.message, code]) if (typeof said === 'string') return said;
  return error instanceof Error ? error.name : 'unknown';
}
