import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from '../generated/catalog-api.ts';
import { sendBatches, type BatchRequest, type ItemResult } from './batches.ts';
import { itemsOf } from './pages.ts';
import { asFetch } from './as-fetch.ts';
import { createSender, type RetryOptions, type Send } from './repeat-exchange.ts';

export type { components as CatalogComponents, paths as CatalogPaths };
export { sendBatch, sendBatches, type BatchRequest, type ItemResult } from './batches.ts';
export { RefusedError } from './pages.ts';
export {
  createSender,
  NoAnswerError,
  type ClientClock,
  type Exchange,
  type Reply,
  type RetryOptions,
  type Send,
} from './repeat-exchange.ts';

/** Paths whose GET gives pages. */
type ListPath = {
  [Path in keyof paths]: paths[Path] extends {
    get: { responses: { 200: { content: { 'application/json': { items: unknown[] } } } } };
  }
    ? Path
    : never;
}[keyof paths];
type ListOf<Path extends ListPath> = paths[Path] extends {
  get: { responses: { 200: { content: { 'application/json': { items: (infer Item)[] } } } } };
}
  ? Item
  : never;
type QueryOf<Path extends ListPath> = paths[Path] extends {
  get: { parameters: { query?: infer Query } };
}
  ? NonNullable<Query>
  : never;

/** The catalog API, typed by its OpenAPI document: paths, parameters, bodies and answers. */
export interface CatalogClient extends Client<paths> {
  /** All entities of a list that its filters let through, over all pages. @throws RefusedError, NoAnswerError */
  readonly all: <Path extends ListPath>(
    path: Path,
    options?: { readonly query?: QueryOf<Path>; readonly signal?: AbortSignal },
  ) => AsyncGenerator<ListOf<Path>, void, undefined>;
  /** Any number of items in batches; see `sendBatches`. @throws RefusedError, NoAnswerError */
  readonly many: (
    method: BatchRequest['method'],
    path: keyof paths & `${string}/batch`,
    items: BatchRequest['items'],
    options?: Pick<BatchRequest, 'key' | 'batchSize' | 'signal'>,
  ) => AsyncGenerator<ItemResult, void, undefined>;
  /** What all of it goes through, for what has no type. */
  readonly send: Send;
}

/**
 * A client of the catalog API. An answer of 4xx or 5xx is no exception: it is `error`, the problem (RFC 9457), beside `response`. Requests are repeated as `createSender` says, each write under an Idempotency-Key;
 * only where nobody answers in time a NoAnswerError is thrown, which says whether the write may have been done. Numbers are JavaScript's: for attributes that need every digit, parse the text yourself (`parseAs: 'text'`).
 * @param options.token the access token, or what gives one that is still good; asked before each try.
 * @param options.headers go with every request.
 */
export function createCatalogClient({
  baseUrl,
  token,
  headers = {},
  ...retry
}: RetryOptions & {
  readonly baseUrl: string;
  readonly token?: string | (() => string | Promise<string>);
  readonly headers?: Readonly<Record<string, string>>;
}): CatalogClient {
  const base = baseUrl.replace(/\/+$/, '');
  const sendWithToken = createSender(retry, async () => {
    if (token === undefined) return {};
    return { authorization: `Bearer ${typeof token === 'string' ? token : await token()}` };
  });
  const send: Send = (exchange) =>
    sendWithToken({ ...exchange, headers: { ...headers, ...exchange.headers } });
  return Object.assign(createClient<paths>({ baseUrl: base, fetch: asFetch(send) }), {
    all: ((path, { query = {}, signal } = {}) => {
      const url = new URL(`${base}${path}`);
      for (const [name, value] of Object.entries(query as Readonly<Record<string, unknown>>))
        for (const each of [value].flat())
          if (each !== undefined) url.searchParams.append(name, String(each));
      return itemsOf(send, url.href, signal);
    }) as CatalogClient['all'],
    many: ((method, path, items, options = {}) =>
      sendBatches(send, {
        ...options,
        method,
        url: `${base}${path}`,
        items,
      })) as CatalogClient['many'],
    send,
  });
}
