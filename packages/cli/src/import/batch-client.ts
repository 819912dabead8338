import {
  createSender,
  NoAnswerError,
  RefusedError,
  sendBatch,
  type ItemResult,
} from '@outbound/catalog-client';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { Chunk } from './chunks.ts';
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
  /** PUT: items say what they are put under. */
  readonly method: 'POST' | 'PUT';
  /** How long an API that does not answer, or asks to be left alone, is waited for. */
  readonly patienceMs: number;
  /** Told before each pause. */
  readonly onWait: (why: string, waitMs: number) => void;
}

type Items = Chunk['items'];

/** Statuses of a whole answer, or of one item, with which patience ended. */
const passing: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);
const requestTimeoutMs = 120_000;

/**
 * Sends batches until each is answered (`createSender`, `sendBatch`). The key makes a repetition harmless: what was created is told again and not
 * created again.
 * @throws CliError API_UNAVAILABLE when patience ends, API_REFUSED for an answer that no repetition changes.
 */
export class BatchClient {
  readonly #options: BatchClientOptions;

  constructor(options: BatchClientOptions) {
    this.#options = options;
  }

  /** Sends the items as one batch, or in halves where that is too large. @param options.key Idempotency-Key. */
  async send(
    items: Items,
    { key, signal }: { readonly key: string; readonly signal: AbortSignal },
  ): Promise<BatchResult> {
    const { apiUrl, token, path, method, patienceMs, onWait } = this.#options;
    let retries = 0;
    let lastWhy = 'gives no answer';
    const send = createSender(
      {
        patienceMs,
        attemptTimeoutMs: requestTimeoutMs,
        basePauseMs: 500,
        onWait: ({ why, waitMs }) => {
          retries += 1;
          lastWhy = why;
          onWait(why, waitMs);
        },
      },
      () => Promise.resolve(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    );
    const texts = items.map(({ text }) => text);
    let results: readonly ItemResult[];
    try {
      results = await sendBatch(send, {
        method,
        url: `${apiUrl}${path}`,
        texts,
        key,
        signal,
      });
    } catch (error) {
      if (error instanceof NoAnswerError)
        throw this.#unavailable(`gives no answer (${error.reason})`);
      if (!(error instanceof RefusedError)) throw error;
      if (passing.has(error.status)) throw this.#unavailable(`answers ${error.status}`);
      throw refused(`${method} ${apiUrl}${path}`, error, items.length);
    }
    if (results.some(({ status }) => passing.has(status))) throw this.#unavailable(lastWhy);
    const made = results.filter(({ status }) => status === 201);
    return {
      created: made.filter(({ wasBefore }) => !wasBefore).length,
      createdBefore: made.filter(({ wasBefore }) => wasBefore).length,
      errors: results
        .filter(({ status }) => status !== 201)
        .map((result) => itemError(result, items[result.index]?.line ?? 0)),
      retries,
    };
  }

  #unavailable(why: string): CliError {
    const { apiUrl, patienceMs } = this.#options;
    return new CliError(
      'API_UNAVAILABLE',
      `the API at ${apiUrl} ${why} for ${Math.round(patienceMs / 1000)} s: check it, then ` +
        'go on with --resume',
      { exitCode: exitCodes.unavailable },
    );
  }
}

function itemError({ status, problem }: ItemResult, line: number): LineError {
  return {
    line,
    status,
    type: textOf(problem?.type, 'about:blank'),
    title: textOf(problem?.title, `status ${status}`),
    detail: textOf(problem?.detail, ''),
    ...(problem?.violations === undefined ? {} : { violations: problem.violations }),
  };
}

function refused(request: string, { status, text }: RefusedError, count: number): CliError {
  const { title, detail } =
    status === 207
      ? { title: 'it does not say what became of each row', detail: `of ${count}` }
      : problemOf(text, status);
  const hint =
    status === 401 || status === 403
      ? 'the access token comes from OUTBOUND_API_TOKEN or --api-token-file; with a good one, --resume goes on'
      : 'is OUTBOUND_API_URL the catalog API?';
  return new CliError(
    'API_REFUSED',
    `${request} is answered ${status}: ${title}${detail === '' ? '' : `: ${detail}`} (${hint})`,
  );
}

function problemOf(text: string, status: number): { title: string; detail: string } {
  let problem: { title?: unknown; detail?: unknown } = {};
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // A proxy's page; its status says enough.
  }
  return {
    title: textOf(problem.title, `status ${status}`),
    detail: textOf(problem.detail, ''),
  };
}

/** Whatever answers there, only a text is a text. */
function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value.slice(0, 500) : otherwise;
}
