import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from '../generated/catalog-api.ts';
import { sendBatches, type BatchRequest, type ItemResult } from './batches.ts';
import { itemsOf } from './pages.ts';
import { asFetch } from './as-fetch.ts';
import { createSender, type Authorize, type RetryOptions, type Send } from './repeat-exchange.ts';
import {
  createOpener,
  openExport,
  sendImport,
  type CatalogExport,
  type ExportedText,
  type ImportRequest,
} from './streams.ts';

export type { components as CatalogComponents, paths as CatalogPaths };
export { sendBatch, sendBatches, type BatchRequest, type ItemResult } from './batches.ts';
export { RefusedError } from './refused-error.ts';
export type { CatalogExport, ExportedText, ImportRequest } from './streams.ts';
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
type QueryOf<Path extends keyof paths> = paths[Path] extends {
  get: { parameters: { query?: infer Query } };
}
  ? NonNullable<Query>
  : never;
/** Paths that have an export. */
type ExportPath = {
  [Path in ListPath]: `${Path}/export` extends keyof paths ? Path : never;
}[ListPath];
/** What an export may be asked for: filters, and fields with the id among them. */
type ExportQuery<Path extends ExportPath> = Omit<
  QueryOf<Extract<`${Path}/export`, keyof paths>>,
  'after'
>;

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
  /** Every entity of one moment that the filters let through, as a stream that goes on where it broke off. @throws RefusedError, NoAnswerError */
  readonly exportOf: <Path extends ExportPath>(
    path: Path,
    options?: { readonly query?: ExportQuery<Path>; readonly signal?: AbortSignal },
  ) => Promise<CatalogExport<ListOf<Path>>>;
  /**
   * The same, each entity as the text that the API wrote, to the digit.
   * @param options.query by the names of the API; it says what it does not take.
   * @param options.after goes on behind this id: of an export that ended before its end, whose position is the one to keep.
   * @throws RefusedError, NoAnswerError
   */
  readonly exportTextOf: (
    path: ExportPath,
    options?: {
      readonly query?: Readonly<Record<string, string | readonly string[]>>;
      readonly after?: string;
      readonly signal?: AbortSignal;
    },
  ) => Promise<CatalogExport<ExportedText>>;
  /** Any number of items in one stream, which is sent again under its key where it broke off; see `sendImport`. @throws RefusedError, NoAnswerError */
  readonly importInto: (
    method: ImportRequest['method'],
    path: ListPath,
    items: ImportRequest['items'],
    options?: Pick<ImportRequest, 'key' | 'signal'>,
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
  const authorize: Authorize = async () => {
    if (token === undefined) return {};
    return { authorization: `Bearer ${typeof token === 'string' ? token : await token()}` };
  };
  const sendWithToken = createSender(retry, authorize);
  const open = createOpener(retry, async () => ({ ...headers, ...(await authorize()) }));
  const send: Send = (exchange) =>
    sendWithToken({ ...exchange, headers: { ...headers, ...exchange.headers } });
  const urlOf = (path: string, query: object | undefined): string => {
    const url = new URL(`${base}${path}`);
    for (const [name, value] of Object.entries<unknown>({ ...query }))
      for (const each of [value].flat())
        if (each !== undefined)
          url.searchParams.append(name, typeof each === 'string' ? each : JSON.stringify(each));
    return url.href;
  };
  const all: CatalogClient['all'] = (path, { query, signal } = {}) =>
    itemsOf(send, urlOf(path, query), signal);
  const many: CatalogClient['many'] = (method, path, items, options = {}) =>
    sendBatches(send, { ...options, method, url: `${base}${path}`, items });
  const exportOf: CatalogClient['exportOf'] = <Path extends ExportPath>(
    path: Path,
    { query, signal }: { readonly query?: ExportQuery<Path>; readonly signal?: AbortSignal } = {},
  ) =>
    openExport(open, {
      url: urlOf(`${path}/export`, query),
      signal,
      toItem: ({ value }) => value as ListOf<Path>,
    });
  const exportTextOf: CatalogClient['exportTextOf'] = (path, { query, after, signal } = {}) =>
    openExport(open, {
      url: urlOf(`${path}/export`, query),
      ...{ after, signal },
      toItem: ({ id, text }): ExportedText => ({ id, text }),
    });
  const importInto: CatalogClient['importInto'] = (method, path, items, options = {}) =>
    sendImport(open, { ...options, method, url: `${base}${path}/import`, items });
  const client = createClient<paths>({ baseUrl: base, fetch: asFetch(send) });
  return Object.assign(client, { all, many, exportOf, exportTextOf, importInto, send });
}
