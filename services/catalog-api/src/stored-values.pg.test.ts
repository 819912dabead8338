import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { send } from './test-support/http-client.ts';

/** Rows that were taken under other rules than today's. */
let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

/** A product with a currency that has left the list of codes, and a slug that is none any more. */
async function oldProduct(): Promise<string> {
  const id = uuidv7();
  await catalog.admin.query(
    'alter table product disable trigger product_first_version, disable trigger product_category_exists_insert',
  );
  await catalog.admin.query(
    `insert into product (id, sku, name, category, price_amount, price_currency, status, version)
     values ($1, $2, ' Shoe ', 'Old Shoes', 9.5, 'HRK', 'ACTIVE', 3)`,
    [id, `OLD-${id}`],
  );
  return id;
}
const call = (method: string, path: string, body?: object) =>
  send(catalog.url, method, path, {
    ...(body ? { body: JSON.stringify(body) } : {}),
    headers: {
      ...(method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {}),
      'if-match': '"3"',
    },
  });
async function eventsOf(id: string): Promise<unknown[]> {
  const { rows } = await catalog.admin.query<{ data_op: string; payload: string }>(
    'select data_op, payload::text from outbox where aggregateid = $1 order by version',
    [id],
  );
  return rows.map(({ data_op, payload }) => [
    data_op,
    (JSON.parse(payload) as { data: { price?: unknown } }).data.price,
  ]);
}
const hrk = { amount: 9.5, currency: 'HRK' };

it('can be read and deleted, with the event that says so', async () => {
  const id = await oldProduct();
  expect((await call('GET', `/products/${id}`)).json).toMatchObject({ price: hrk });
  expect((await call('GET', '/products')).status).toBe(200);
  expect((await call('DELETE', `/products/${id}`)).status).toBe(204);
  expect(await eventsOf(id)).toEqual([['D', hrk]]);
});

it('can be changed where a caller changes something else', async () => {
  const id = await oldProduct();
  const patched = await call('PATCH', `/products/${id}`, { brand: 'B' });
  expect(patched).toMatchObject({ status: 200, json: { brand: 'B', price: hrk } });
  expect(await eventsOf(id)).toEqual([['U', hrk]]);
});

it('is held to today’s rules in what a caller sends', async () => {
  const id = await oldProduct();
  for (const [method, body, pointers] of [
    ['PATCH', { price: { amount: 1 } }, ['/price/currency']],
    ['PATCH', { name: ' x ' }, ['/name']],
    ['PUT', { sku: `NEW-${id}`, name: 'Shoe', price: { ...hrk, amount: 1 } }, ['/price/currency']],
    ['PUT', { sku: `NEW-${id}`, name: 7, price: hrk }, ['/name', '/price/currency']],
  ] as const) {
    const refused = await call(method, `/products/${id}`, body);
    expect(refused.status).toBe(400);
    expect(refused.json['violations']).toMatchObject(pointers.map((pointer) => ({ pointer })));
  }
  expect(await eventsOf(id)).toEqual([]);
});

it('can be put back as it was read, and a new one of its kind cannot be made', async () => {
  const id = await oldProduct();
  const read = await call('GET', `/products/${id}`);
  const { id: _, version: __, created_at: ___, updated_at: ____, ...fields } = read.json;
  const put = await call('PUT', `/products/${id}`, { ...fields, brand: 'B' });
  expect(put).toMatchObject({ status: 200, json: { ...fields, brand: 'B', version: 4 } });
  expect(await eventsOf(id)).toEqual([['U', hrk]]);
  const other = await send(catalog.url, 'PUT', `/products/${uuidv7()}`, {
    body: JSON.stringify({ ...fields, sku: `NEW-${id}` }),
    headers: { 'if-none-match': '*' },
  });
  expect(other.status).toBe(400);
  expect(other.json['violations']).toMatchObject([
    { pointer: '/name' },
    { pointer: '/category' },
    { pointer: '/price/currency' },
  ]);
});
