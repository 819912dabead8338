import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from '../generated/catalog-api.ts';

/** The catalog API, typed by its OpenAPI document: paths, parameters, bodies and answers. */
export type CatalogClient = Client<paths>;
export type { components as CatalogComponents, paths as CatalogPaths };

/**
 * A client of the catalog API on fetch. An answer of 4xx or 5xx is no exception: it is `error`, the problem (RFC 9457), beside `response`; only a server that does not
 * answer throws. Numbers are JavaScript's: for attributes that need every digit, parse the text yourself (`parseAs: 'text'`).
 * @param options.headers go with every request, such as `authorization`.
 */
export function createCatalogClient({
  baseUrl,
  headers = {},
}: {
  readonly baseUrl: string;
  readonly headers?: Readonly<Record<string, string>>;
}): CatalogClient {
  return createClient<paths>({ baseUrl, headers });
}
