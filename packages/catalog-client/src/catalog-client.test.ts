import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createCatalogClient, type CatalogClient } from './index.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A server that answers as the API does; that the API does is what its own tests show over the same document. */
async function clientOf(
  status: number,
  answer: unknown,
  token: string | (() => Promise<string>) = 't',
): Promise<{ client: CatalogClient; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    request
      .resume()
      .on('end', () =>
        response.writeHead(status, { 'content-type': type }).end(JSON.stringify(answer)),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    client: createCatalogClient({
      baseUrl: `http://127.0.0.1:${port}`,
      token,
    }),
    requests,
  };
}

it('knows paths, parameters and answers by their types', async () => {
  const { client, requests } = await clientOf(200, { id: '1', sku: 'A', version: 3 });
  const { data } = await client.GET('/products/{id}', { params: { path: { id: '1' } } });
  const version: number | undefined = data?.version;
  expect(version).toBe(3);
  expect([requests[0]?.method, requests[0]?.url, requests[0]?.headers.authorization]).toEqual([
    'GET',
    '/products/1',
    'Bearer t',
  ]);
  // @ts-expect-error -- no such path
  await client.GET('/no-such-path');
});

it('asks for a token before each request, so that one that ends is renewed', async () => {
  let count = 0;
  const { client, requests } = await clientOf(200, { items: [] }, () =>
    Promise.resolve(`t${++count}`),
  );
  await client.GET('/products');
  await client.GET('/products');
  expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer t1', 'Bearer t2']);
});

it('sends a conditional merge patch, and gives the problem of a refusal as a value', async () => {
  const problem = { type: '/problems/stale-version', title: 'Stale version', status: 412 };
  const { client, requests } = await clientOf(412, problem);
  const { data, error, response } = await client.PATCH('/products/{id}', {
    params: { path: { id: '1' }, header: { 'if-match': '"3"' } },
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { name: 'New name' },
  });
  expect(data).toBeUndefined();
  expect(error?.title).toBe('Stale version');
  expect(response.status).toBe(412);
  expect(requests[0]?.headers).toMatchObject({
    'if-match': '"3"',
    'content-type': 'application/merge-patch+json',
  });
});
