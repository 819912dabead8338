import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem, tablesAsText } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

interface ItemResult {
  readonly index: number;
  readonly status: number;
  readonly id?: string;
  readonly etag?: string;
  readonly problem?: { readonly type: string };
}

let catalog: TestCatalog;
let before: string;
beforeAll(async () => {
  catalog = await startCatalog();
  await send(catalog.url, 'POST', '/products', { body: '{"sku":"HERE","name":"Here"}' });
  await send(catalog.url, 'POST', '/categories', { body: '{"code":"c","name":"C"}' });
});
afterAll(() => catalog.close());
beforeEach(async () => {
  before = await tablesAsText(catalog.admin);
});

const batch = (body: string, headers: Record<string, string> = {}) =>
  send(catalog.url, 'POST', '/products/batch', { body, headers });
const items = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `{"sku":"${prefix}-${index}","name":"N"}`);
const count = async (table: 'product' | 'outbox' | 'idempotency_key', where: string) => {
  const { rows } = await catalog.admin.query<{ count: number }>(
    `select count(*)::int as count from ${table} where ${where}`,
  );
  return rows[0]?.count;
};

describe('a batch', () => {
  it('creates 1,000 items with 8,000 keys in ten transactions and answers for each in order', async () => {
    const body = items('ALL', 1_000).map((item) =>
      item.replace(
        '}',
        ',"brand":"B","category":"c","description":"D","status":"ACTIVE","attributes":{"n":1.50}}',
      ),
    );
    const reply = await batch(`{"items":[${body.join(',\n')}]}`);
    expect(reply.status).toBe(207);
    const results = reply.json['items'] as ItemResult[];
    expect(results.map(({ index }) => index)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    expect(new Set(results.map(({ status, etag }) => `${status} ${etag}`))).toEqual(
      new Set(['201 "1"']),
    );
    const { rows } = await catalog.admin.query<{ chunk: number; events: number }>(`
      select count(*)::int as events from outbox o join product p on p.id::text = o.aggregateid
      where p.sku like 'ALL-%' group by o.xmin`);
    expect(rows.map(({ events }) => events)).toEqual(Array<number>(10).fill(100));
    const { rows: texts } = await catalog.admin.query<{ data: string }>(
      "select payload::json->>'data' as data from outbox where payload::text like '%\"ALL-7\"%'",
    );
    const read = await send(catalog.url, 'GET', `/products/${results[7]?.id}`);
    expect(texts[0]?.data).toBe(read.text);
  });

  it('does not fail good items for bad neighbours, of whatever kind', async () => {
    const reply = await batch(`{"items":[
      {"sku":"MIX-0","name":"good"},
      {"sku":"HERE","name":"taken"},
      {"sku":"MIX-0","name":"the same again"},
      {"sku":"MIX-3"},
      {"sku":"MIX-4","name":"a","name":"b"},
      {"sku":"MIX-5","name":"good"}]}`);
    const results = reply.json['items'] as ItemResult[];
    expect(results.map(({ status }) => status)).toEqual([201, 409, 409, 400, 400, 201]);
    expect(await count('product', "sku like 'MIX-%'")).toBe(2);
    expect(await count('outbox', "payload::text like '%\"MIX-%'")).toBe(2);
    const good = await send(catalog.url, 'GET', '/products?sku=MIX-0');
    expect(good.json['items']).toMatchObject([{ name: 'good', id: results[0]?.id }]);
  });

  it('finds the one item that only the database refuses', async () => {
    await catalog.admin.query(
      "alter table product add constraint no_seven check (sku <> 'ONLY-7')",
    );
    const reply = await batch(`{"items":[${items('ONLY', 10).join(',')}]}`, {
      'idempotency-key': 'only',
    });
    await catalog.admin.query('alter table product drop constraint no_seven');
    const results = reply.json['items'] as ItemResult[];
    expect(results.map(({ status }) => status)).toEqual([
      201, 201, 201, 201, 201, 201, 201, 400, 201, 201,
    ]);
    expect(await count('outbox', "payload::text like '%\"ONLY-%'")).toBe(9);
    expect(await count('idempotency_key', "key = 'only'")).toBe(1);
  });

  it('gives the same answer again for the same key, and creates nothing twice', async () => {
    const body = `{"items":[${items('KEY', 250).join(',')}]}`;
    const first = await batch(body, { 'idempotency-key': 'a-batch' });
    const second = await batch(body, { 'idempotency-key': 'a-batch' });
    expect(second.text).toBe(first.text);
    expect(first.headers.get('idempotent-replayed')).toBe(null);
    expect(second.headers.get('idempotent-replayed')).toBe('0-99,100-199,200-249');
    expect(await count('product', "sku like 'KEY-%'")).toBe(250);
    expect(await count('outbox', "payload::text like '%\"KEY-%'")).toBe(250);
    expect(await count('idempotency_key', "key = 'a-batch'")).toBe(3);
    expectProblem(
      await batch('{"items":[{"sku":"OTHER","name":"N"}]}', { 'idempotency-key': 'a-batch' }),
      400,
      'idempotency-key-reused',
    );
  });

  it('goes on where it broke off when it is repeated with its key', async () => {
    const body = `{"items":[${items('BROKE', 300).join(',')}]}`;
    const headers = { 'idempotency-key': 'broke' };
    const whole = await batch(body, headers);
    // As after a crash between the second chunk and the third.
    await catalog.admin.query("delete from product where sku ~ '^BROKE-2\\d\\d$'");
    await catalog.admin.query(
      "delete from idempotency_key where key = 'broke' and scope like '%#2'",
    );
    const again = await batch(body, headers);
    expect(again.headers.get('idempotent-replayed')).toBe('0-99,100-199');
    const ids = (text: string) =>
      (JSON.parse(text) as { items: ItemResult[] }).items.map(({ id }) => id);
    expect(ids(again.text).slice(0, 200)).toEqual(ids(whole.text).slice(0, 200));
    expect(await count('product', "sku like 'BROKE-%'")).toBe(300);
  });

  it('does not deadlock with another that has the same keys in the other order', async () => {
    // Slow enough that each has keys of the other's before it is through.
    await catalog.admin.query(`
      create function slow_insert() returns trigger language plpgsql as
        $$ begin perform pg_sleep(0.01); return new; end $$;
      create trigger slow_insert before insert on product for each row execute function slow_insert()`);
    const list = items('CROSS', 100);
    const replies = await Promise.all([
      batch(`{"items":[${list.join(',')}]}`),
      batch(`{"items":[${[...list].reverse().join(',')}]}`),
    ]);
    const statuses = replies.flatMap(({ json }) =>
      (json['items'] as ItemResult[]).map(({ status }) => status),
    );
    expect(statuses.filter((status) => status === 201)).toHaveLength(100);
    expect(statuses.filter((status) => status === 409)).toHaveLength(100);
    await catalog.admin.query('drop trigger slow_insert on product; drop function slow_insert');
    // A deadlock is tried again and leaves no other trace.
    expect(readFileSync(catalog.postgres.logFile, 'utf8')).not.toContain('deadlock detected');
  });
});

describe('a bad batch', () => {
  it.each([
    ['an array', '[]', 'validation-failed'],
    ['an object without items', '{}', 'validation-failed'],
    ['more than items', '{"items":[],"x":1}', 'validation-failed'],
    ['no items', '{"items":[ ]}', 'validation-failed'],
    [
      '1,001 items',
      `{"items":[${Array<string>(1_001).fill('{}').join(',')}]}`,
      'validation-failed',
    ],
    ['a broken item', '{"items":[{"sku":"A","name":"N"},{]}', 'malformed-json'],
    ['a trailing comma', '{"items":[{"sku":"A","name":"N"},]}', 'malformed-json'],
    ['brackets that do not fit', '{"items":[{"sku":"A","name":"N"}]]}', 'malformed-json'],
    ['an item that ends the array', '{"items":[1],"items":[2]}', 'malformed-json'],
  ])('of %s is 400 and writes nothing', async (_name, body, type) => {
    expectProblem(await batch(body), 400, type);
    expect(await tablesAsText(catalog.admin)).toBe(before);
  });

  it('over 8 MiB is 413', async () => {
    expectProblem(await batch(`{"items":["${'x'.repeat(8_388_608)}"]}`), 413, 'body-too-large');
    expect(await tablesAsText(catalog.admin)).toBe(before);
  });

  it('of bad items alone is 207 with a problem each, and writes nothing', async () => {
    const items = [
      '{"sku":"HERE","name":"taken"}',
      '{"sku":"A","name":"N","name":"M"}',
      '{"name":"no sku"}',
      'null',
    ];
    const reply = await batch(`{"items":[${items.join(',')}]}`);
    expect(reply.status).toBe(207);
    const results = reply.json['items'] as { status: number; problem: { type: string } }[];
    expect(results.map(({ status, problem }) => `${status} ${problem.type}`)).toEqual([
      '409 /problems/conflict',
      '400 /problems/malformed-json',
      '400 /problems/validation-failed',
      '400 /problems/validation-failed',
    ]);
    expect(await tablesAsText(catalog.admin)).toBe(before);
  });
});
