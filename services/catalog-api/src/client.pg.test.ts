import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createCatalogClient, type CatalogClient } from '@outbound/catalog-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';

type Direction = 'request' | 'answer';

/** What stands between a caller and the API, and breaks a connection once so many bytes have passed in one direction. */
class BreakingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #plan: { readonly direction: Direction; bytes: number } | undefined;

  constructor(upstreamPort: number) {
    this.#server = createServer((caller) => {
      const upstream = connect(upstreamPort, '127.0.0.1');
      this.#join(caller, upstream, 'request');
      this.#join(upstream, caller, 'answer');
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  breakAfter(direction: Direction, bytes: number): void {
    this.#plan = { direction, bytes };
  }

  /** Whether there was a break since; none comes any more. */
  wasBroken(): boolean {
    const was = this.#plan === undefined;
    this.#plan = undefined;
    return was;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket, direction: Direction): void {
    this.#sockets.add(from);
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on('data', (chunk: Buffer) => {
      const plan = this.#plan?.direction === direction ? this.#plan : undefined;
      if (plan === undefined || chunk.length < plan.bytes) {
        if (plan !== undefined) plan.bytes -= chunk.length;
        to.write(chunk);
        return;
      }
      this.#plan = undefined;
      // What was let through arrives; then neither hears of the other.
      to.write(chunk.subarray(0, plan.bytes), () => {
        from.destroy();
        to.destroy();
      });
    });
  }
}

let catalog: TestCatalog;
let proxy: BreakingProxy;
let client: CatalogClient;
/** Whose answers are not compressed: so bytes are entities. */
let plainClient: CatalogClient;
beforeAll(async () => {
  catalog = await startCatalog();
  proxy = new BreakingProxy(catalog.service.port);
  const options = { baseUrl: await proxy.start(), basePauseMs: 1, maxPauseMs: 20 };
  client = createCatalogClient(options);
  plainClient = createCatalogClient({ ...options, headers: { 'accept-encoding': 'identity' } });
});
afterAll(async () => {
  await proxy.close();
  await catalog.close();
});

/** Every so many bytes: within each header, and at both ends. */
const stepBytes = 64;

/** Does the write again and again, the connection broken a little later each time, until it is through before the break. */
async function atEveryPoint(write: (nth: number) => Promise<void>): Promise<number> {
  let breaks = 0;
  for (const direction of ['request', 'answer'] as const)
    for (let bytes = 0; ; bytes += stepBytes) {
      proxy.breakAfter(direction, bytes);
      await write((breaks += 1));
      if (!proxy.wasBroken()) break;
    }
  return breaks;
}

const count = async (sql: string): Promise<number> => {
  const { rows } = await catalog.admin.query<{ count: number }>(
    `select count(*)::int as count from ${sql}`,
  );
  return rows[0]?.count ?? NaN;
};

describe('over connections that break at any point', () => {
  it('a create makes one product with one event', async () => {
    const breaks = await atEveryPoint(async (nth) => {
      const { data, response } = await client.POST('/products', {
        body: { sku: `C-${nth}`, name: 'N' },
      });
      expect([response.status, data?.version]).toEqual([201, 1]);
    });
    expect(breaks).toBeGreaterThan(8);
    expect(await count("product where sku like 'C-%'")).toBe(breaks);
    expect(await count(`outbox where payload::text like '%"C-%'`)).toBe(breaks);
  });

  it('a change is made once, and its answer is that of the first time', async () => {
    const { data } = await client.POST('/products', { body: { sku: 'P', name: 'N' } });
    const path = { id: data?.id ?? '' };
    let version = 1;
    const breaks = await atEveryPoint(async (nth) => {
      const changed = await client.PATCH('/products/{id}', {
        params: { path, header: { 'if-match': `"${version}"` } },
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { name: `N${nth}` },
      });
      expect([changed.response.status, changed.data?.version]).toEqual([200, (version += 1)]);
    });
    expect(await count(`outbox where aggregateid = '${path.id}'`)).toBe(breaks + 1);
  });

  it('batches do each item once, and tell of each', async () => {
    let changes = 0;
    const breaks = await atEveryPoint(async (nth) => {
      const statuses: number[] = [];
      const items = Array.from({ length: 5 }, (_, n) => ({
        upsert: true,
        data: { sku: `B-${n}`, name: `N${nth}` },
      }));
      for await (const { status } of client.many('PUT', '/products/batch', items, { batchSize: 3 }))
        statuses.push(status);
      expect(statuses).toEqual(Array(5).fill(nth === 1 ? 201 : 200));
      changes += 5;
    });
    expect(breaks).toBeGreaterThan(8);
    expect(await count(`outbox where payload::text like '%"B-%'`)).toBe(changes);
  });

  it('an import does each line once and tells of each in order, and an export gives all of them', async () => {
    let lines = 0;
    const breaks = await atEveryPoint(async (nth) => {
      const items = function* () {
        for (let n = 0; n < 5; n += 1) yield { sku: `I-${nth}-${n}`, name: 'N' };
      };
      const told: string[] = [];
      for await (const { index, status } of client.importInto('POST', '/products', items))
        told.push(`${index} ${status}`);
      expect(told).toEqual(['0 201', '1 201', '2 201', '3 201', '4 201']);
      lines += 5;
    });
    expect(breaks).toBeGreaterThan(8);
    expect(await count("product where sku like 'I-%'")).toBe(lines);
    expect(await count(`outbox where payload::text like '%"I-%'`)).toBe(lines);
    const live = await count('product where deleted_at is null');
    for (const bytes of [0, 300, 900, 5_000, 12_000]) {
      proxy.breakAfter('answer', bytes);
      const { position, items } = await plainClient.exportOf('/products');
      expect(position).toMatch(/^[0-9A-F]+[/][0-9A-F]+$/);
      const ids = new Set<string>();
      for await (const { id } of items) ids.add(id);
      expect([ids.size, proxy.wasBroken()]).toEqual([live, true]);
    }
  });

  it('a list is read whole', async () => {
    proxy.breakAfter('answer', 300);
    const skus: string[] = [];
    for await (const { sku } of client.all('/products', { query: { limit: 3 } })) skus.push(sku);
    expect(skus).toHaveLength(await count('product where deleted_at is null'));
    expect(proxy.wasBroken()).toBe(true);
  });
});
