import { createDatabase } from '@outbound/outbox';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { categoryAggregate } from './categories/category-aggregate.ts';
import { purgeDeleted } from './catalog/purge.ts';
import { productAggregate } from './products/product-aggregate.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { send } from './test-support/http-client.ts';

let catalog: TestCatalog;
/** As the role that the API has. */
let api: pg.Pool;
beforeAll(async () => {
  catalog = await startCatalog();
  api = new pg.Pool({ connectionString: catalog.apiUrl });
});
afterAll(async () => {
  await api.end();
  await catalog.close();
});

describe('a deleted entity', () => {
  const purge = (before: Date, limit = 1_000) => {
    const context = { db: createDatabase(api), timeouts: () => Promise.resolve(undefined) };
    return Promise.all([
      purgeDeleted(context, productAggregate, before, limit),
      purgeDeleted(context, categoryAggregate, before, limit),
    ]);
  };
  const change = (method: string, path: string, headers: Record<string, string>, body?: string) =>
    send(catalog.url, method, path, { ...(body === undefined ? {} : { body }), headers });
  const row = async (table: string, id: unknown) => {
    const { rows } = await catalog.admin.query<{ row: object }>(
      `select to_jsonb(t) as row from ${table} t where id = $1`,
      [id],
    );
    return rows[0]?.row;
  };

  it('loses its data after its time, keeps id and version, and tells nobody', async () => {
    const personal = 'Ada Lovelace';
    const product = `{"sku":"ADA","name":"${personal}","description":"${personal}","brand":"${personal}",
      "category":"ada","price":{"amount":1.50,"currency":"EUR"},"attributes":{"by":"${personal}"}}`;
    await change('POST', '/categories', {}, '{"code":"ada","name":"N"}');
    const created = await change('POST', '/products', {}, product);
    const { id } = created.json;
    const kept = await change('POST', '/products', {}, '{"sku":"KEPT","name":"N"}');
    await change('DELETE', `/products/${String(id)}`, { 'if-match': '"1"' });
    const events = async () =>
      (await catalog.admin.query<{ id: string }>('select id from outbox order by id')).rows;
    const before = await events();

    expect(await purge(new Date(Date.now() - 60_000))).toEqual([0, 0]);
    expect(JSON.stringify(await row('product', id))).toContain(personal);
    expect((await purge(new Date(Date.now() + 60_000)))[0]).toBe(1);
    expect(JSON.stringify(await row('product', id))).not.toMatch(/Ada|ADA|ada|1\.50|EUR/);
    expect(await row('product', id)).toMatchObject({ id, version: 2 });
    expect(await row('product', kept.json['id'])).toMatchObject({ sku: 'KEPT', purged_at: null });
    expect((await purge(new Date(Date.now() + 60_000)))[0]).toBe(0);
    expect(await events()).toEqual(before);
  });

  it('that was purged is created again under its id, and its count goes on', async () => {
    const body = '{"code":"comes-back","name":"N"}';
    const { id } = (await change('POST', '/categories', {}, body)).json;
    const path = `/categories/${String(id)}`;
    await change('DELETE', path, { 'if-match': '"1"' });
    await purge(new Date(Date.now() + 60_000));
    const again = await change('PUT', path, { 'if-none-match': '*' }, body);
    expect(again.status).toBe(201);
    expect(again.headers.get('etag')).toBe('"3"');
    expect(await row('category', id)).toMatchObject({ code: 'comes-back', purged_at: null });
  });

  it('is purged a bounded number at a time, the longest ago first, and what somebody has locked is left', async () => {
    await purge(new Date(Date.now() + 60_000));
    const ids = Array.from({ length: 4 }, () => uuidv7());
    for (const [index, id] of ids.entries()) {
      await api.query(
        `insert into category (id, code, name, version, deleted_at) values ($1, 'b', 'N', 1, now() - $2 * interval '1 day')`,
        [id, 10 - index],
      );
    }
    const purged = async () => {
      const { rows } = await catalog.admin.query<{ id: string }>(
        'select id from category where id = any($1) and purged_at is not null order by id',
        [ids],
      );
      return rows.map(({ id }) => id);
    };
    const locker = new pg.Client({ connectionString: catalog.adminUrl });
    await locker.connect();
    await locker.query('begin');
    await locker.query('select from category where id = $1 for update', [ids[0]]);
    expect((await purge(new Date(), 2))[1]).toBe(2);
    expect(await purged()).toEqual([ids[1], ids[2]]);
    await locker.end();
    expect((await purge(new Date(), 2))[1]).toBe(2);
    expect(await purged()).toEqual(ids);
  });
});
