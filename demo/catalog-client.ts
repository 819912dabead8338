import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
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
 * @param options.token access token, sent with every request.
 * @param options.patienceMs Defaults to 30,000.
 * @param options.signal ends requests and waits.
 */
export function createCatalogClient({
  baseUrl,
  token,
  patienceMs = 30_000,
  signal,
}: {
  readonly baseUrl: string;
  readonly token: string;
  readonly patienceMs?: number;
  readonly signal: AbortSignal;
}): CatalogClient {
  // Node's fetch costs this process three times as much, and keeps a listener on a shared signal for each request.
  const agent = new Agent({ keepAlive: true });
  const once: CatalogClient['send'] = (method, path, { body, headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      const call = request(
        `${baseUrl}${path}`,
        {
          agent,
          method,
          signal,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined
              ? {}
              : { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (response) => {
          const { statusCode = 0, headers: answered } = response;
          text(response).then(
            (answer) => resolve({ status: statusCode, etag: answered.etag, body: answer }),
            reject,
          );
        },
      );
      call.on('error', reject);
      call.end(body);
    });
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
