import { setTimeout as delay } from 'node:timers/promises';

/** An answer of the catalog API. `body` is its text: numbers in it are exact. */
export interface Answer {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: string;
}

/** A request that the API did not answer as it should. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError';
}

/** The catalog's REST API as a well-behaved caller uses it. */
export interface CatalogClient {
  /** One request. A connection that fails and the answers 429 and 503 are tried again for `patienceMs`, with the same Idempotency-Key. @throws CatalogError after that. */
  send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options?: {
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<Answer>;
}

/**
 * @param options.baseUrl such as `http://127.0.0.1:8080`.
 * @param options.patienceMs Defaults to 30,000.
 * @param options.signal ends requests and waits.
 */
export function createCatalogClient({
  baseUrl,
  patienceMs = 30_000,
  signal,
}: {
  readonly baseUrl: string;
  readonly patienceMs?: number;
  readonly signal: AbortSignal;
}): CatalogClient {
  const once: CatalogClient['send'] = async (method, path, { body, headers = {} } = {}) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
      ...(body === undefined ? {} : { body }),
      signal,
    });
    return {
      status: response.status,
      etag: response.headers.get('etag') ?? undefined,
      body: await response.text(),
    };
  };
  return {
    send: async (method, path, options) => {
      const deadline = performance.now() + patienceMs;
      for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1000)) {
        let why: string;
        let cause: unknown;
        try {
          const answer = await once(method, path, options);
          if (answer.status !== 503 && answer.status !== 429) return answer;
          why = `was answered ${answer.status} ${answer.body.slice(0, 200)}`;
        } catch (error) {
          signal.throwIfAborted();
          why = 'got no answer';
          cause = error;
        }
        if (performance.now() > deadline)
          throw new CatalogError(`${method} ${path} ${why} for ${patienceMs} ms`, { cause });
        await delay(waitMs, undefined, { signal });
      }
    },
  };
}
