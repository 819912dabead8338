import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createCatalogClient, type Answer, type CatalogClient } from './catalog-client.ts';
import { inParallel } from './in-parallel.ts';
import { loadProducts } from './load.ts';
import { playPrices } from './play.ts';

type Send = CatalogClient['send'];

/** A client whose answers are made here. */
function clientOf(answer: (...args: Parameters<Send>) => Partial<Answer>): CatalogClient {
  return {
    send: async (...args) => {
      // The turn of the loop that a real request takes, so that players overlap.
      await new Promise(setImmediate);
      return { status: 200, etag: undefined, body: '', ...answer(...args) };
    },
  };
}

describe('the load', () => {
  const items = Array.from({ length: 600 }, (_, index) => `{"sku":"S-${index}"}`);

  test('sends every item once, with a key for each request, and tells created from reused', async () => {
    const skus: string[] = [];
    const keys = new Set<string>();
    const client = clientOf((_method, _path, options) => {
      keys.add(options?.headers?.['idempotency-key'] ?? '');
      const { items: sent } = JSON.parse(options?.body ?? '') as { items: { sku: string }[] };
      skus.push(...sent.map(({ sku }) => sku));
      const results = sent.map(({ sku }, index) => ({ index, status: sku === 'S-7' ? 409 : 201 }));
      return { status: 207, body: JSON.stringify({ items: results }) };
    });
    let done = 0;
    const tally = await loadProducts(client, {
      items,
      runId: 'r',
      width: 2,
      onDone: (count) => (done += count),
    });
    expect(tally).toEqual({ createdCount: 599, reusedCount: 1 });
    expect(new Set(skus).size).toBe(600);
    expect(keys).toEqual(new Set(['demo-r-0', 'demo-r-250', 'demo-r-500']));
    expect(done).toBe(600);
  });

  test('ends with the number and the reason of an item that was refused', async () => {
    const client = clientOf(() => ({
      status: 207,
      body: JSON.stringify({
        items: [{ index: 3, status: 400, problem: { detail: 'price is negative' } }],
      }),
    }));
    await expect(
      loadProducts(client, { items, runId: 'r', width: 1, onDone: () => undefined }),
    ).rejects.toThrow('product 3 of the load was answered 400 price is negative');
  });
});

describe('the players', () => {
  /** One product with a version, as the API keeps it. */
  function catalogOf(price = '0') {
    let version = 1;
    const prices: string[] = [];
    const client = clientOf((method, _path, options) => {
      if (method === 'GET') return { etag: `"${version}"` };
      if (options?.headers?.['if-match'] !== `"${version}"`) return { status: 412 };
      const amount = /"amount":([\d.]+)/.exec(options.body ?? '')?.[1] ?? '';
      if (amount !== price) {
        price = amount;
        prices.push(amount);
        version++;
      }
      return { etag: `"${version}"` };
    });
    return { client, prices, version: () => version };
  }
  const tallyOf = () => ({ writtenCount: 0, unchangedCount: 0, conflictCount: 0 });

  test('write each price that changed, in order when there is one of them', async () => {
    const { client, prices } = catalogOf();
    const tally = tallyOf();
    const products = [{ id: 'p', brand: 'b', amounts: ['1', '1', '2', '2', '1'] }];
    await playPrices(client, {
      products,
      playersPerProduct: 1,
      tally,
      onObservation: () => undefined,
    });
    expect(prices).toEqual(['1', '2', '1']);
    expect(tally).toEqual({ writtenCount: 3, unchangedCount: 2, conflictCount: 0 });
  });

  test('get into conflict when there are several, and lose no observation', async () => {
    const { client, version } = catalogOf();
    const tally = tallyOf();
    let observationCount = 0;
    const amounts = Array.from({ length: 200 }, (_, index) => String(index + 1));
    const products = [{ id: 'p', brand: 'b', amounts }];
    await playPrices(client, {
      products,
      playersPerProduct: 3,
      tally,
      onObservation: () => observationCount++,
    });
    expect(observationCount).toBe(200);
    expect(tally.conflictCount).toBeGreaterThan(0);
    expect(tally.writtenCount).toBe(200);
    expect(version()).toBe(201);
  });

  test('stop together at an answer that is neither 200 nor 412', async () => {
    let patches = 0;
    const client = clientOf((method) =>
      method === 'GET' ? { etag: '"1"' } : { status: ++patches > 10 ? 500 : 200, etag: '"1"' },
    );
    const products = [{ id: 'p', brand: 'b', amounts: Array<string>(1000).fill('1') }];
    await expect(
      playPrices(client, {
        products,
        playersPerProduct: 3,
        tally: tallyOf(),
        onObservation: () => undefined,
      }),
    ).rejects.toThrow('PATCH /products/p was answered 500');
    expect(patches).toBeLessThan(20);
  });
});

describe('the client', () => {
  let close: () => void = () => undefined;
  afterEach(() => close());

  async function serverOf(
    handler: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  ) {
    let count = 0;
    const server = createServer((request, response) => handler(request, response, ++count));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    close = () => {
      server.closeAllConnections();
      server.close();
    };
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const { signal } = new AbortController();

  test('tries again after 503, 429 and a broken connection, with the same headers', async () => {
    const keys: unknown[] = [];
    const baseUrl = await serverOf((request, response, count) => {
      keys.push(request.headers['idempotency-key']);
      if (count === 1) response.writeHead(503).end();
      else if (count === 2) response.writeHead(429).end();
      else if (count === 3) request.socket.destroy();
      else response.writeHead(201, { etag: '"1"' }).end('{}');
    });
    const client = createCatalogClient({ token: 't', baseUrl, signal });
    const answer = await client.send('POST', '/products', {
      body: '{}',
      headers: { 'idempotency-key': 'k' },
    });
    expect(answer).toEqual({ status: 201, etag: '"1"', body: '{}' });
    expect(keys).toEqual(['k', 'k', 'k', 'k']);
  });

  test('gives up after its patience, saying what it got', async () => {
    const baseUrl = await serverOf((_request, response) => response.writeHead(503).end('busy'));
    const client = createCatalogClient({ token: 't', baseUrl, signal, patienceMs: 0 });
    await expect(client.send('GET', '/products')).rejects.toThrow(
      'GET /products was answered 503 busy',
    );
  });

  test('sends a merge patch as one', async () => {
    const types: unknown[] = [];
    const baseUrl = await serverOf((request, response) => {
      types.push(request.headers['content-type']);
      response.end();
    });
    const client = createCatalogClient({ token: 't', baseUrl, signal });
    await client.send('PATCH', '/products/1', { body: '{}' });
    await client.send('POST', '/products', { body: '{}' });
    expect(types).toEqual(['application/merge-patch+json', 'application/json']);
  });
});

describe('work in parallel', () => {
  test('begins in order and never more than the width', async () => {
    let running = 0;
    let most = 0;
    const begun: number[] = [];
    await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
    });
    expect(begun).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  test('begins nothing after an error, and waits for what was begun', async () => {
    const begun: number[] = [];
    let ended = 0;
    const work = inParallel([1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('first');
      await new Promise(setImmediate);
      ended++;
    });
    await expect(work).rejects.toThrow('first');
    expect([begun, ended]).toEqual([[1, 2], 1]);
  });
});
