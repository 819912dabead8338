import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { referenceChecks } from '../../../packages/cli/src/doctor/reference-checks.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem, tablesAsText } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

let catalog: TestCatalog;
let pool: pg.Pool;
let count = 0;
/** A category of the test's own. */
let code: string;
let categoryPath: string;
beforeAll(async () => {
  catalog = await startCatalog();
  pool = new pg.Pool({ connectionString: catalog.adminUrl });
});
afterAll(async () => {
  await pool?.end();
  await catalog?.close();
});

const call = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
  send(catalog.url, method, path, { ...(body === undefined ? {} : { body }), headers });
const patch = (path: string, body: string) =>
  call('PATCH', path, body, { 'if-match': '*', 'content-type': 'application/merge-patch+json' });
const remove = (path: string) => call('DELETE', path, undefined, { 'if-match': '*' });
const createProduct = async (category: string) => {
  const body = `{"sku":"R-${(count += 1)}","name":"N","category":"${category}"}`;
  return call('POST', '/products', body);
};
const productPath = async (category: string) => {
  const reply = await createProduct(category);
  expect(reply.status).toBe(201);
  return `/products/${String(reply.json['id'])}`;
};
const problemOf = (reply: Awaited<ReturnType<typeof call>>, status: number, type: string) => {
  expectProblem(reply, status, type);
  return reply.json;
};
/** How many wait for an advisory lock. */
const waiting = async () => {
  const { rowCount } = await pool.query(
    "select from pg_locks where locktype = 'advisory' and not granted",
  );
  return rowCount;
};
beforeEach(async () => {
  code = `category-${(count += 1)}`;
  const { json } = await call('POST', '/categories', `{"code":"${code}","name":"N"}`);
  categoryPath = `/categories/${String(json['id'])}`;
});

describe('a category that a product names', () => {
  it('has to exist, however the product is written, and nothing is written otherwise', async () => {
    const path = await productPath(code);
    const before = await tablesAsText(catalog.admin);
    const refused = [
      await createProduct('nowhere'),
      await patch(path, '{"category":"nowhere"}'),
      await call('PUT', path, '{"sku":"R","name":"N","category":"nowhere"}', { 'if-match': '*' }),
    ];
    for (const reply of refused)
      expect(problemOf(reply, 400, 'validation-failed')['violations']).toEqual([
        { in: 'body', pointer: '/category', message: 'is the code of no category' },
      ]);
    expect(await tablesAsText(catalog.admin)).toBe(before);

    const items = ['nowhere', code, 'nowhere', code].map(
      (category) => `{"sku":"R-${(count += 1)}","name":"N","category":"${category}"}`,
    );
    const batch = await call('POST', '/products/batch', `{"items":[${items.join(',')}]}`);
    const outcomes = batch.json['items'] as { status: number; problem?: object }[];
    expect(outcomes.map(({ status }) => status)).toEqual([400, 201, 400, 201]);
    expect(outcomes[0]?.problem).toMatchObject({ violations: [{ pointer: '/category' }] });
  });

  it('can neither go nor take another code while live products name it; the answer counts them and names the first', async () => {
    const paths = [await productPath(code), await productPath(code)];
    const ids = paths.map((path) => path.slice('/products/'.length));
    const before = await tablesAsText(catalog.admin);
    const refused = [await remove(categoryPath), await patch(categoryPath, '{"code":"another"}')];
    for (const reply of refused)
      expect(problemOf(reply, 409, 'referenced')['detail']).toContain(
        `: 2 products refer to it, the first is ${ids[0]}.`,
      );
    expect(await tablesAsText(catalog.admin)).toBe(before);
    expect((await patch(categoryPath, '{"name":"another"}')).status).toBe(200);

    expect((await remove(paths[0] ?? '')).status).toBe(204);
    expect((await remove(categoryPath)).json['detail']).toContain(`: 1 product refers to it`);
    expect((await patch(paths[1] ?? '', '{"category":null}')).status).toBe(200);
    expect((await remove(categoryPath)).status).toBe(204);
    // Created again, the deleted product would name a category that is gone.
    const again = await call('PUT', paths[0] ?? '', `{"sku":"A","name":"N","category":"${code}"}`, {
      'if-none-match': '*',
    });
    expectProblem(again, 400, 'validation-failed');
  });

  it.each(['read committed', 'repeatable read', 'serializable'])(
    'is waited for: whoever comes second, product or deletion, sees what the first has committed, though %s is the default',
    async (level) => {
      await catalog.admin.query(
        `alter role outbound_api set default_transaction_isolation = '${level}'`,
      );
      const fresh = await catalog.startAnother();
      const url = `http://127.0.0.1:${fresh.port}`;
      const other = new pg.Client(catalog.adminUrl);
      await other.connect();
      const insert = `insert into product (id, sku, name, category, status, version) values (gen_random_uuid(), 'RACE', 'N', '${code}', 'ACTIVE', 1)`;
      await other.query('begin');
      await other.query(insert);
      const deletion = send(url, 'DELETE', categoryPath, { headers: { 'if-match': '*' } });
      await eventually(waiting);
      await other.query('commit');
      expectProblem(await deletion, 409, 'referenced');

      await other.query('begin');
      await other.query(
        `update product set version = version + 1, deleted_at = now() where sku = 'RACE'`,
      );
      await other.query(
        `update category set version = version + 1, deleted_at = now() where code = '${code}'`,
      );
      const creation = send(url, 'POST', '/products', {
        body: `{"sku":"RACE","name":"N","category":"${code}"}`,
      });
      await eventually(waiting);
      await other.query('commit');
      expectProblem(await creation, 400, 'validation-failed');
      await other.end();
      await catalog.admin.query('alter role outbound_api reset default_transaction_isolation');
    },
  );

  it('that was never there stays with a product from before, which can be changed in all else; doctor names it', async () => {
    expect(await referenceChecks(pool)).toMatchObject([{ level: 'ok' }]);
    await catalog.admin.query('alter table product disable trigger product_category_exists_insert');
    const path = await productPath('of-before');
    await catalog.admin.query('alter table product enable trigger product_category_exists_insert');
    expect(await referenceChecks(pool)).toMatchObject([
      { level: 'warning', says: '1 values are the code of no category: of-before' },
    ]);
    expect((await patch(path, '{"name":"M"}')).status).toBe(200);
    const { text } = await call('GET', path);
    const body = JSON.stringify({ sku: 'B', name: 'M', category: 'of-before' });
    expect(text).toContain('"category":"of-before"');
    expect((await call('PUT', path, body, { 'if-match': '*' })).status).toBe(200);
    expectProblem(await patch(path, '{"category":"elsewhere"}'), 400, 'validation-failed');
    expect((await remove(path)).status).toBe(204);
    expect(await referenceChecks(pool)).toMatchObject([{ level: 'ok' }]);
  });

  it('that is locked crosswise by batches fails none of them', async () => {
    const second = `category-${(count += 1)}`;
    await call('POST', '/categories', `{"code":"${second}","name":"N"}`);
    const batch = (codes: readonly string[]) => {
      const items = Array.from(
        { length: 60 },
        (_, n) =>
          `{"sku":"X-${(count += 1)}","name":"N","category":"${codes[n % codes.length] ?? ''}"}`,
      );
      return call('POST', '/products/batch', `{"items":[${items.join(',')}]}`);
    };
    const replies = await Promise.all([
      ...[batch([code, second]), batch([second, code]), batch([code, second])],
      ...[remove(categoryPath), batch([second, code])],
    ]);
    const statuses = replies.flatMap(({ status, json }) =>
      status === 207 ? (json['items'] as { status: number }[]).map((item) => item.status) : [],
    );
    expect(statuses).toHaveLength(240);
    expect(statuses.filter((status) => ![201, 400].includes(status))).toEqual([]);
  });
});
