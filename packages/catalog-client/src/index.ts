import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from '../generated/catalog-api.ts';

/** The catalog API, typed by its OpenAPI document: paths, parameters, bodies and answers. */
export type CatalogClient = Client<paths>;
export type { components as CatalogComponents, paths as CatalogPaths };

/**
 * A client of the catalog API on fetch. An answer of 4xx or 5xx is no exception: it is `error`, the problem (RFC 9457), beside `response`; only a server that does not
 * answer throws. Numbers are JavaScript's: for attributes that need every digit, parse the text yourself (`parseAs: 'text'`).
 * @param options.token the access token, or what gives one that is still good; asked before each request.
 * @param options.headers go with every request.
 */
export function createCatalogClient({
  baseUrl,
  token,
  headers = {},
}: {
  readonly baseUrl: string;
  readonly token?: string | (() => string | Promise<string>);
  readonly headers?: Readonly<Record<string, string>>;
}): CatalogClient {
  const client = createClient<paths>({ baseUrl, headers });
  if (token !== undefined)
    client.use({
      onRequest: async ({ request }) => {
        const current = typeof token === 'string' ? token : await token();
        request.headers.set('authorization', `Bearer ${current}`);
      },
    });
  return client;
}
