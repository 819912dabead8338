import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { createSender, NoAnswerError, type Reply, type Send } from '@outbound/catalog-client';

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
  /** One request, repeated as `createSender` does for `patienceMs`, each write under an Idempotency-Key. @throws CatalogError after that. */
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
  const agent = new Agent({ keepAlive: true });
  // One listener for all, and not one for each request.
  signal.addEventListener('abort', () => agent.destroy(), { once: true });
  const sendAgain = createSender(
    {
      patienceMs,
      basePauseMs: 50,
      maxPauseMs: 1_000,
      transport: overHttp(agent),
      clock: {
        nowMs: () => performance.now(),
        wallMs: () => Date.now(),
        sleep: (ms) => delay(ms, undefined, { signal }),
      },
    },
    () => Promise.resolve({ authorization: `Bearer ${token}` }),
  );
  return {
    send: async (method, path, { body, headers = {} } = {}) => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      let reply: Reply;
      try {
        reply = await sendAgain({
          method,
          url: `${baseUrl}${path}`,
          headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
          ...(body === undefined ? {} : { body }),
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof NoAnswerError)) throw error;
        throw new CatalogError(error.message, { cause: error });
      }
      const { status, text: answer } = reply;
      if (status === 503 || status === 429)
        throw new CatalogError(
          `${method} ${path} was answered ${status} ${answer.slice(0, 200)} for ${patienceMs} ms`,
        );
      return { status, etag: reply.headers.get('etag') ?? undefined, body: answer };
    },
  };
}

/** One try over `node:http`: Node's fetch costs this process three times as much. */
function overHttp(agent: Agent): Send {
  return ({ url, method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
      const call = request(
        url,
        {
          agent,
          method,
          headers: { ...headers, ...length },
          ...(signal === undefined ? {} : { signal }),
        },
        (response) => {
          text(response).then(
            (answer) =>
              resolve({
                status: response.statusCode ?? 0,
                headers: {
                  get: (name) => {
                    const value = response.headers[name];
                    return value === undefined ? null : String(value);
                  },
                },
                text: answer,
              }),
            reject,
          );
        },
      );
      call.on('error', reject);
      call.end(body);
    });
}
