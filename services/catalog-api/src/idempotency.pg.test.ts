import { createDatabase } from '@outbound/outbox';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetExpired } from './catalog/idempotency.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { send } from './test-support/http-client.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const post = (body: string, key: string, path = '/products', base = catalog.url) =>
  send(base, 'POST', path, { body, headers: { 'idempotency-key': key } });
const rowsAndEvents = async (sku: string) => {
  const { rows } = await catalog.admin.query<{ products: number; events: number }>(
    `select (select count(*)::int from product where sku = $1) as products,
      (select count(*)::int from outbox where payload::json->'data'->>'sku' = $1) as events`,
    [sku],
  );
  return rows[0];
};

describe('an Idempotency-Key', () => {
  it('gives the first answer again: status, headers and every byte of the body', async () => {
    const body = '{"sku":"ONCE","name":"N","attributes":{"n":1.50}}';
    const first = await post(body, 'once');
    const second = await post(body, 'once');
    expect(second.status).toBe(201);
    expect(second.text).toBe(first.text);
    expect(first.headers.get('idempotent-replayed')).toBe(null);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    for (const name of ['etag', 'location', 'content-type'])
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    expect(await rowsAndEvents('ONCE')).toEqual({ products: 1, events: 1 });
  });

  it('lets concurrent twins, also at two instances, make one product, one event and one answer', async () => {
    const other = await catalog.startAnother();
    const bases = [catalog.url, `http://127.0.0.1:${other.port}`];
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        post('{"sku":"TWIN","name":"N"}', 'twin', '/products', bases[index % 2]),
      ),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(await rowsAndEvents('TWIN')).toEqual({ products: 1, events: 1 });
  });

  it('does not remember a request that failed', async () => {
    await post('{"sku":"BUSY","name":"N"}', 'first');
    expect((await post('{"sku":"BUSY","name":"M"}', 'failed')).status).toBe(409);
    await catalog.admin.query("delete from product where sku = 'BUSY'");
    expect((await post('{"sku":"BUSY","name":"M"}', 'failed')).status).toBe(201);
  });

  it('of one path means nothing at another', async () => {
    expect((await post('{"sku":"PATH","name":"N"}', 'path')).status).toBe(201);
    expect((await post('{"code":"path","name":"N"}', 'path', '/categories')).status).toBe(201);
  });

  it('may be used for another request after 24 hours', async () => {
    await post('{"sku":"DAY","name":"N"}', 'day');
    await catalog.admin.query(
      "update idempotency_key set created_at = now() - interval '24 hours 1 second' where key = 'day'",
    );
    expect((await post('{"sku":"NEXT-DAY","name":"N"}', 'day')).status).toBe(201);
  });

  it('of 255 visible characters is taken', async () => {
    expect((await post('{"sku":"LONG","name":"N"}', '~'.repeat(255))).status).toBe(201);
  });
});

describe('forgetting', () => {
  it('forgets what is older than 24 hours, a bounded number at a time, oldest first', async () => {
    await catalog.admin.query(
      `insert into idempotency_key (scope, key, request_hash, response_status, created_at)
       select 'S', 'old-' || n, sha256('x'), 201, now() - interval '25 hours' - n * interval '1 minute'
       from generate_series(1, 5) n`,
    );
    const pool = new pg.Pool({ connectionString: catalog.apiUrl });
    const db = createDatabase(pool);
    expect(await forgetExpired(db, new Date(), 2)).toBe(2);
    const { rows } = await catalog.admin.query<{ key: string }>(
      "select key from idempotency_key where scope = 'S' order by key",
    );
    expect(rows.map(({ key }) => key)).toEqual(['old-1', 'old-2', 'old-3']);
    expect(await forgetExpired(db, new Date(), 100)).toBe(3);
    expect(await forgetExpired(db, new Date(), 100)).toBe(0);
    await pool.end();
  });
});
