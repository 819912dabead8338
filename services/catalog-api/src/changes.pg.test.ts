import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrateDatabase } from './migrations/migrate-database.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

/** What was changed, followed by `updated_after` and `changes`: nothing is missed, whatever transactions and clocks do. */
interface Page {
  readonly next?: string;
  readonly prev?: string;
  readonly changes?: string;
  readonly items: readonly {
    readonly id: string;
    readonly sku: string;
    readonly version: number;
  }[];
}

let catalog: TestCatalog;
const clients: pg.Client[] = [];
const connect = async (): Promise<pg.Client> => {
  const client = new pg.Client(catalog.adminUrl);
  await client.connect();
  clients.push(client);
  return client;
};
beforeAll(async () => {
  catalog = await startCatalog();
  const items = Array.from({ length: 30 }, (_, n) => `{"sku":"C-${n}","name":"N"}`);
  await send(catalog.url, 'POST', '/products/batch', { body: `{"items":[${items.join(',')}]}` });
});
afterAll(async () => {
  for (const client of clients) await client.end();
  await catalog.close();
});

const page = async (path: string): Promise<Page> => {
  const reply = await send(catalog.url, 'GET', path);
  expect(reply.status, reply.text).toBe(200);
  return reply.json as unknown as Page;
};
/** All pages up to the one that says where to ask later. */
const walk = async (path: string): Promise<{ items: Page['items']; changes: string }> => {
  const items: Page['items'][number][] = [];
  for (let at = path; ;) {
    const { next, changes, items: more } = await page(at);
    items.push(...more);
    if (next === undefined) return { items, changes: changes ?? '' };
    at = next;
  }
};
const since = '/products?updated_after=2020-01-01T00:00:00Z&fields=(id,sku,version)';
const skus = (items: Page['items']) => items.map(({ sku }) => sku);
const change = (client: pg.Client, sku: string, seconds = 0) =>
  client.query(
    `update product set version = version + 1, updated_at = clock_timestamp() + make_interval(secs => $2) where sku = $1`,
    [sku, seconds],
  );

describe('whoever follows the changes', () => {
  it('gets everything in the order of its change, and then only what came later', async () => {
    const admin = await connect();
    const first = await walk(`${since}&limit=7`);
    expect(new Set(skus(first.items)).size).toBe(30);
    expect((await walk(first.changes)).items).toEqual([]);
    await change(admin, 'C-3');
    await change(admin, 'C-1');
    const later = await walk(first.changes);
    expect(skus(later.items)).toEqual(['C-3', 'C-1']);
    expect((await walk(later.changes)).items).toEqual([]);
    // The order of the last change, from the beginning.
    expect(skus((await walk(since)).items).slice(-2)).toEqual(['C-3', 'C-1']);
    await send(catalog.url, 'DELETE', `/products/${later.items[1]?.id}`, {
      headers: { 'if-match': '*' },
    });
    expect((await walk(later.changes)).items).toEqual([]);
  });

  it('gets what a slow transaction commits after the reader has passed its moment', async () => {
    const slow = await connect();
    const quick = await connect();
    await slow.query('begin');
    await change(slow, 'C-5');
    await change(quick, 'C-6');
    const walked = await walk(since);
    expect(skus(walked.items).at(-1)).toBe('C-6');
    await slow.query('commit');
    // Its moment lies before that of C-6, so whoever asks for what is later than C-6 never sees it.
    const { rows } = await quick.query<{ sku: string }>(
      "select sku from product where sku in ('C-5', 'C-6') order by updated_at",
    );
    expect(rows.map(({ sku }) => sku)).toEqual(['C-5', 'C-6']);
    expect(skus((await walk(walked.changes)).items)).toContain('C-5');
  });

  it('is kept where the oldest open transaction began, and misses nothing when it ends', async () => {
    const slow = await connect();
    const quick = await connect();
    const { changes } = await walk(since);
    await slow.query('begin');
    await change(slow, 'C-7');
    await change(quick, 'C-8');
    const meanwhile = await walk(changes);
    expect(meanwhile.items).toEqual([]);
    await slow.query('commit');
    expect(skus((await walk(meanwhile.changes)).items).sort()).toEqual(['C-7', 'C-8']);
  });

  it('gets a change whose clock was behind, and one whose clock was ahead', async () => {
    const client = await connect();
    const { changes } = await walk(since);
    await change(client, 'C-9', -3_600);
    await change(client, 'C-10', 3_600);
    expect(skus((await walk(changes)).items)).toEqual(['C-9', 'C-10']);
  });

  it('has the last version of everything in the end, beside writers whose transactions overlap', async () => {
    const writers = await Promise.all(Array.from({ length: 6 }, connect));
    let running = writers.length;
    const write = async (client: pg.Client, number: number): Promise<void> => {
      for (let round = 0; round < 25; round += 1) {
        await client.query('begin');
        // In the order of their numbers, so that writers wait for each other and never in a circle.
        const first = (number * 7 + round * 3) % 25;
        for (const sku of [first, first + 1, first + 3])
          await change(client, `C-${sku}`, ((number % 3) - 1) * 30);
        await client.query(round % 7 === 6 ? 'rollback' : 'commit');
      }
      running -= 1;
    };
    const seen = new Map<string, number>();
    const read = async (): Promise<void> => {
      const take = (items: Page['items']) => {
        for (const { id, version } of items) seen.set(id, Math.max(version, seen.get(id) ?? 0));
      };
      let { items, changes } = await walk(`${since}&limit=5`);
      take(items);
      for (let isLast = false; !isLast;) {
        isLast = running === 0;
        ({ items, changes } = await walk(changes));
        take(items);
      }
    };
    await Promise.all([read(), ...writers.map(write)]);
    const { rows } = await catalog.admin.query<{ id: string; version: number }>(
      'select id, version::int from product where deleted_at is null',
    );
    expect([...seen].sort()).toEqual(rows.map(({ id, version }) => [id, version]).sort());
  });

  it('is told so when the history is another one, and not shown a part of it', async () => {
    const { changes } = await walk(since);
    const cursor = new URL(changes, catalog.url).searchParams.get('cursor') ?? '';
    const plain = Buffer.from(cursor, 'base64url').toString('latin1');
    const other = Buffer.from(`${plain.slice(0, -8)}AAAAAAAA`, 'latin1').toString('base64url');
    const reply = await send(catalog.url, 'GET', changes.replace(cursor, other));
    expectProblem(reply, 400, 'invalid-cursor');
    expect(reply.text).toContain('restored, moved or failed over');
  });

  it('is told so by a copy that was restored beside it in the same server', async () => {
    const { changes } = await walk(since);
    const databaseUrl = await catalog.postgres.createDatabase('restored');
    await migrateDatabase({ databaseUrl, directory: 'migrations' });
    const copy = await catalog.startAnother({ databaseUrl });
    const reply = await send(`http://127.0.0.1:${copy.port}`, 'GET', changes);
    expectProblem(reply, 400, 'invalid-cursor');
  });

  it('walks back as well', async () => {
    const first = await page(`${since}&limit=10`);
    const second = await page(first.next ?? '');
    expect(skus((await page(second.prev ?? '')).items)).toEqual(skus(first.items));
  });
});

describe('the number of the transaction', () => {
  it('is taken by each change, also by one that says another', async () => {
    const client = await connect();
    const read = async () =>
      (
        await client.query<{ changed_in: string; now: string }>(
          "select changed_in::text, pg_snapshot_xmax(pg_current_snapshot())::text as now from product where sku = 'C-11'",
        )
      ).rows[0];
    await client.query(
      "update product set version = version + 1, changed_in = '5' where sku = 'C-11'",
    );
    const after = await read();
    expect(Number(after?.changed_in)).toBe(Number(after?.now) - 1);
  });
});
