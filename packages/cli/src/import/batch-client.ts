import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@outbound/service-kit';
import { CliError, exitCodes } from '../exit-codes.ts';
import { readBatchAnswer, type ItemAnswer } from './batch-answer.ts';
import { batchBody, type Chunk } from './chunks.ts';
import type { LineError } from './import-row.ts';

/** What became of the rows of a batch. */
export interface BatchResult {
  readonly created: number;
  /** Created under the same key before, as the API says: by an earlier run, or by a try whose answer was lost. */
  readonly createdBefore: number;
  readonly errors: readonly LineError[];
  /** Requests beyond the first. */
  readonly retries: number;
}

export interface BatchClientOptions {
  readonly apiUrl: string;
  /** Access token; without it the API has to admit everybody. */
  readonly token: string | undefined;
  readonly path: string;
  /** How long an API that does not answer, or asks to be left alone, is waited for. */
  readonly patienceMs: number;
  /** Told before each pause. */
  readonly onWait: (why: string, waitMs: number) => void;
  /** One request; `fetch` by default. */
  readonly fetch?: typeof fetch;
  readonly random?: () => number;
  /** The pause; a timer by default. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

type Items = Chunk['items'];

interface SendOptions {
  /** Idempotency-Key. */
  readonly key: string;
  readonly signal: AbortSignal;
}

/**
 * Statuses of a whole answer, or of one item, that pass: the same request again is right. Source: Zalando rule 151, RFC
 * 9110.
 */
const passing: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);
const requestTimeoutMs = 120_000;
/** An item that fails the service itself is reported after so many tries. */
const serverFaultTries = 3;

/**
 * Sends batches until each is answered. The key makes a repetition harmless: what was created is told again and not
 * created again.
 * @throws CliError API_UNAVAILABLE when patience ends, API_REFUSED for an answer that no repetition changes.
 */
export class BatchClient {
  readonly #options: BatchClientOptions;

  constructor(options: BatchClientOptions) {
    this.#options = options;
  }

  /**
   * Sends the items as one batch; where that is too large for the API, or for a proxy on the way, in halves, each under
   * a key of its own that is
   * made of `key`. Each is tried in full first: what another batch was told must not change the keys of this one, or a
   * run that goes on would not
   * know what it has created.
   */
  async send(items: Items, { key, signal }: SendOptions): Promise<BatchResult> {
    const result = await this.#sendWhole(items, { key, signal });
    if (result !== 'too large') return result;
    const half = Math.ceil(items.length / 2);
    const first = await this.send(items.slice(0, half), { key: `${key}.1`, signal });
    const second = await this.send(items.slice(half), { key: `${key}.2`, signal });
    return {
      created: first.created + second.created,
      createdBefore: first.createdBefore + second.createdBefore,
      errors: [...first.errors, ...second.errors],
      retries: first.retries + second.retries,
    };
  }

  async #sendWhole(items: Items, { key, signal }: SendOptions): Promise<BatchResult | 'too large'> {
    const { patienceMs, onWait, random = Math.random } = this.#options;
    const deadline = performance.now() + patienceMs;
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      const { why, retryAfterMs, result } = await this.#once(items, { key, signal }, attempt);
      if (result !== undefined) return result;
      if (performance.now() > deadline)
        throw new CliError(
          'API_UNAVAILABLE',
          `the API at ${this.#options.apiUrl} ${why} for ${Math.round(patienceMs / 1000)} s: check it, then ` +
            'go on with --resume',
          { exitCode: exitCodes.unavailable },
        );
      const waitMs = Math.max(
        backoffMs({ attempt, baseMs: 500, maxMs: 15_000, random }),
        retryAfterMs,
      );
      onWait(why, waitMs);
      await (this.#options.wait ?? ((ms: number) => sleep(ms, undefined, { signal })))(waitMs);
    }
  }

  async #once(
    items: Items,
    { key, signal }: SendOptions,
    attempt: number,
  ): Promise<{ why: string; retryAfterMs: number; result?: BatchResult | 'too large' }> {
    const { apiUrl, token, path } = this.#options;
    let response: Response;
    let text: string;
    try {
      response = await (this.#options.fetch ?? fetch)(`${apiUrl}${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': key,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: batchBody(items),
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
      });
      text = await response.text();
    } catch (error) {
      signal.throwIfAborted();
      return { why: `gives no answer (${reason(error)})`, retryAfterMs: 0 };
    }
    const again = { why: `answers ${response.status}`, retryAfterMs: retryAfterMs(response) };
    if (response.status !== 207) {
      if (passing.has(response.status)) return again;
      if (response.status === 413) return { ...again, result: tooLarge(items, text, attempt) };
      throw refused(apiUrl, path, response.status, text);
    }
    const results = readBatchAnswer(text, items.length);
    if (!results) throw refused(apiUrl, path, 207, noResults(items.length));
    const isPassing = results.some(
      ({ status }) => passing.has(status) || (status >= 500 && attempt < serverFaultTries),
    );
    if (isPassing) {
      const { status } = results.find((item) => item.status >= 429) ?? { status: 503 };
      return { ...again, why: `answers ${status} for rows` };
    }
    const wasBefore = repeatedItems(response.headers.get('idempotent-replayed'));
    let created = 0;
    let createdBefore = 0;
    const errors: LineError[] = [];
    for (const answer of results) {
      if (answer.status !== 201) errors.push(itemError(answer, items[answer.index]?.line ?? 0));
      else if (wasBefore(answer.index)) createdBefore += 1;
      else created += 1;
    }
    return { ...again, result: { created, createdBefore, errors, retries: attempt - 1 } };
  }
}

/** A row that is too large alone is that row's error and not the import's; of several, halves may do. */
function tooLarge(items: Items, text: string, attempt: number): BatchResult | 'too large' {
  const [first] = items;
  if (!first || items.length > 1) return 'too large';
  const { type, title, detail } = problemOf(text, 413);
  return {
    created: 0,
    createdBefore: 0,
    errors: [{ line: first.line, status: 413, type, title, detail }],
    retries: attempt - 1,
  };
}

function itemError({ status, problem }: ItemAnswer, line: number): LineError {
  return {
    line,
    status,
    type: problem?.type ?? 'about:blank',
    title: problem?.title ?? `status ${status}`,
    detail: problem?.detail ?? '',
    ...(problem?.violations === undefined ? {} : { violations: problem.violations }),
  };
}

/** Which items the API had answered before, of its header `Idempotent-Replayed: 0-99,200-299`. */
function repeatedItems(header: string | null): (index: number) => boolean {
  const ranges = Array.from((header ?? '').matchAll(/(\d+)-(\d+)/g), ([, first, last]) => [
    Number(first),
    Number(last),
  ]);
  return (index) => ranges.some(([first = 0, last = -1]) => index >= first && index <= last);
}

/** `Retry-After` in milliseconds, at most a minute; 0 without it, or as a date. */
function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : 0;
}

function refused(apiUrl: string, path: string, status: number, text: string): CliError {
  const { title, detail } = problemOf(text, status);
  const hint =
    status === 401 || status === 403
      ? 'the access token comes from OUTBOUND_API_TOKEN or --api-token-file; with a good one, --resume goes on'
      : 'is OUTBOUND_API_URL the catalog API?';
  return new CliError(
    'API_REFUSED',
    `POST ${apiUrl}${path} is answered ${status}: ${title}${detail === '' ? '' : `: ${detail}`} (${hint})`,
  );
}

/** In the form in which the API would say it. */
function noResults(count: number): string {
  return JSON.stringify({
    title: 'it does not say what became of each row',
    detail: `of ${count}`,
  });
}

function problemOf(text: string, status: number): { type: string; title: string; detail: string } {
  let problem: { type?: unknown; title?: unknown; detail?: unknown } = {};
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // A proxy's page; its status says enough.
  }
  const textOf = (value: unknown, otherwise: string) =>
    typeof value === 'string' ? value.slice(0, 500) : otherwise;
  return {
    type: textOf(problem.type, 'about:blank'),
    title: textOf(problem.title, `status ${status}`),
    detail: textOf(problem.detail, ''),
  };
}

/** Node's fetch says "fetch failed" and keeps the reason beneath. */
function reason(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  for (const said of [cause?.code, cause?.message]) if (typeof said === 'string') return said;
  return error instanceof Error ? error.name : 'unknown';
}
