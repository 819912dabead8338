import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
  const items = Array.from({ length: 24 }, (_, n) =>
    JSON.stringify({
      sku: `Q-${String(n).padStart(2, '0')}`,
      name: n % 2 ? 'Leather boots' : 'Canvas shoes',
      ...(n % 3 ? {} : { description: 'Made for Señor Müller, model X-200; waterproof' }),
      brand: n % 4 ? 'Procter, Gamble & Co' : 'Other',
      category: `c-${n % 3}`,
      ...(n === 23 ? {} : { price: { amount: n + 0.99, currency: n % 6 ? 'EUR' : 'USD' } }),
      attributes: {
        color: n % 2 ? 'red' : `it's a "blue" \\ one`,
        size: n,
        sale: n % 5 === 0,
        nested: { color: 'green' },
      },
      status: (['ACTIVE', 'DRAFT', 'DISCONTINUED'] as const)[n % 3],
    }),
  );
  const categories = [0, 1, 2].map((n) => `{"code":"c-${n}","name":"N"}`);
  for (const [kind, each] of [
    ['categories', categories],
    ['products', items],
  ] as const)
    await send(catalog.url, 'POST', `/${kind}/batch`, { body: `{"items":[${each.join(',')}]}` });
  await eventually(async () => (await skus('q=boots')).length === 12);
});
afterAll(() => catalog.close());

interface Page {
  readonly next?: string;
  readonly items: readonly { readonly sku: string }[];
}
/** Of all pages together. */
async function skus(query: string, limit = 5): Promise<readonly number[]> {
  const found: number[] = [];
  for (let at: string | undefined = `/products?${query}&limit=${limit}`; at !== undefined;) {
    const reply = await send(catalog.url, 'GET', at);
    expect(reply.status, reply.text).toBe(200);
    const page = reply.json as unknown as Page;
    found.push(...page.items.map(({ sku }) => Number(sku.slice(2))));
    at = page.next;
  }
  return found;
}
const where = (holds: (n: number) => boolean) =>
  Array.from({ length: 24 }, (_, n) => n).filter(holds);
const encoded = encodeURIComponent;

describe('a list is filtered by', () => {
  it.each<[string, (n: number) => boolean]>([
    ['status=ACTIVE,DRAFT', (n) => n % 3 < 2],
    ['status=ACTIVE&status=DRAFT', (n) => n % 3 < 2],
    ['status=ACTIVE&status=ACTIVE', (n) => n % 3 === 0],
    [`brand=${encoded('Procter, Gamble & Co')}&brand=Other`, () => true],
    [`brand=${encoded('Procter, Gamble & Co')}`, (n) => n % 4 !== 0],
    ['sku=Q-03,Q-01,none', (n) => n === 1 || n === 3],
    ['category=c-0&category=c-1&status=ACTIVE,DISCONTINUED&brand=Other', (n) => n % 12 === 0],
    ['price_currency=EUR', (n) => n % 6 !== 0 && n < 23],
    ['price_min=5.99&price_max=9.99&price_currency=EUR', (n) => n >= 5 && n <= 9 && n !== 6],
    ['price_min=5.9901&price_currency=EUR&status=DRAFT', (n) => n > 5 && n % 3 === 1],
    ['price_max=12.99&price_currency=USD', (n) => n % 6 === 0 && n <= 12],
    ['attribute=color:red', (n) => n % 2 === 1],
    ['attribute=color:red&attribute=sale:true', (n) => n % 10 === 5],
    ['attribute=size:7', (n) => n === 7],
    [`attribute=${encoded(`color:it's a "blue" \\ one`)}&status=ACTIVE`, (n) => n % 6 === 0],
    ['attribute=color:green', () => false],
    ['attribute=nested:green', () => false],
    ['q=boots', (n) => n % 2 === 1],
    ['q=BOOTS%20leather', (n) => n % 2 === 1],
    [`q=${encoded('müller x-200')}`, (n) => n % 3 === 0],
    ['q=boot', () => false],
    ['q=boots&attribute=size:9&status=ACTIVE', (n) => n === 9],
    ['q=boots&price_min=8&price_currency=EUR', (n) => n % 2 === 1 && n > 7 && n < 23],
    ['updated_after=2020-01-01T00:00:00%2B02:00&category=c-2', (n) => n % 3 === 2],
    ['updated_after=2100-01-01T00:00:00Z', () => false],
  ])('%s', async (query, holds) => {
    expect(await skus(query)).toEqual(where(holds));
    expect(await skus(query, 1000)).toEqual(where(holds));
  });
});

describe('a list is sorted by', () => {
  const eur = where((n) => n % 6 !== 0 && n < 23);
  it.each<[string, readonly number[]]>([
    ['sort=-id', where(() => true).reverse()],
    ['sort=-price&price_currency=EUR', [...eur].reverse()],
    ['sort=price&price_currency=EUR&q=boots', eur.filter((n) => n % 2 === 1)],
    ['sort=-id&price_max=9.99&price_currency=EUR', eur.filter((n) => n < 10).reverse()],
    ['sort=-updated_at&status=DRAFT', where((n) => n % 3 === 1)],
  ])('%s', async (query, expected) => {
    const found = await skus(query);
    // One batch has one moment: its order is that of the ids, backwards too.
    if (query.includes('updated_at')) expect([...found].sort((a, b) => a - b)).toEqual(expected);
    else expect(found).toEqual(expected);
  });
});

describe('a query is refused', () => {
  it.each([
    ['colour=red', '/colour'],
    ['status=NEW', '/status'],
    ['status=ACTIVE,', '/status'],
    [`sku=${Array.from({ length: 21 }, (_, n) => `s${n}`).join(',')}`, '/sku'],
    ['price_min=1', '/price_currency'],
    ['sort=price', '/price_currency'],
    ['price_min=1e3&price_currency=EUR', '/price_min'],
    ['price_min=1.00001&price_currency=EUR', '/price_min'],
    ['price_currency=euro', '/price_currency'],
    ['updated_after=yesterday', '/updated_after'],
    ['updated_after=2026-01-01T00:00:00', '/updated_after'],
    ['updated_after=9999-01-01T00:00:00Z', '/updated_after'],
    ['attribute=color', '/attribute'],
    ['attribute=:red', '/attribute'],
    [Array.from({ length: 6 }, (_, n) => `attribute=a:${n}`).join('&'), '/attribute'],
    ['q=a', '/q'],
    ['q=...', '/q'],
    [`q=${'a'.repeat(101)}`, '/q'],
    ['q=a%00b', '/q'],
    ['q=boots&q=shoes', '/q'],
    ['sort=name', '/sort'],
    ['sort=id,price', '/sort'],
    ['fields=id', '/fields'],
    ['fields=(id,colour)', '/fields'],
    ['fields=()', '/fields'],
    [
      'fields=!(id,sku,name,description,brand,category,price,attributes,status,version,created_at,updated_at)',
      '/fields',
    ],
  ])('%s', async (query, pointer) => {
    const reply = await send(catalog.url, 'GET', `/products?${query}`);
    expectProblem(reply, 400, 'validation-failed');
    const { violations } = reply.json as { violations: { in: string; pointer: string }[] };
    expect(violations.map((each) => [each.in, each.pointer])).toContainEqual(['query', pointer]);
  });

  it('with the cursor of another order or of other values, and forged ones are no fault of ours', async () => {
    const cursorOf = async (query: string) => {
      const reply = await send(catalog.url, 'GET', `/products?${query}&limit=2`);
      return new URL(String(reply.json['next']), catalog.url).searchParams.get('cursor') ?? '';
    };
    const cursor = await cursorOf('sort=price&price_currency=EUR');
    const forged = (change: (plain: string) => string) =>
      Buffer.from(change(Buffer.from(cursor, 'base64url').toString('latin1')), 'latin1').toString(
        'base64url',
      );
    for (const [query, wrong] of [
      ['sort=-price&price_currency=EUR', cursor],
      ['sort=price&price_currency=USD', cursor],
      ['price_currency=EUR', cursor],
      ['sort=price&price_currency=EUR', forged((plain) => `${plain}1:1`)],
      ['sort=price&price_currency=EUR', forged((plain) => `${plain}99999999999`)],
      ['sort=price&price_currency=EUR', forged((plain) => `c${plain.slice(1)}`)],
      ['sort=price&price_currency=EUR', forged((plain) => `${plain.slice(0, 48)}`)],
    ] as const)
      expectProblem(
        await send(catalog.url, 'GET', `/products?${query}&cursor=${wrong}`),
        400,
        'invalid-cursor',
      );
  });
});

describe('an attribute', () => {
  it('is told from another whose key and value have an = elsewhere', async () => {
    for (const [sku, attributes] of [
      ['EQ-1', { 'a=b': 'c' }],
      ['EQ-2', { a: 'b=c' }],
    ] as const)
      await send(catalog.url, 'POST', '/products', {
        body: JSON.stringify({ sku, name: 'Equal', attributes }),
      });
    await eventually(async () => (await skus('q=equal')).length === 2);
    for (const [query, number] of [
      ['a:b=c', -2],
      ['a=b:c', -1],
    ] as const)
      for (const more of ['', '&sort=-updated_at'])
        expect(await skus(`attribute=${encoded(query)}${more}`)).toEqual([number]);
  });
});

describe('a page before which everything was deleted', () => {
  it.each(['sort=id', 'sort=-id', 'sort=updated_at', 'sort=-updated_at'])(
    'leads to what is there, by %s',
    async (sort) => {
      const codes = Array.from({ length: 3 }, (_, n) => `${sort.replace(/[^a-z]+/g, '-')}-${n}`);
      const body = `{"items":[${codes.map((code) => `{"code":"${code}","name":"N"}`).join(',')}]}`;
      await send(catalog.url, 'POST', '/categories/batch', { body });
      const query = `/categories?${sort}&limit=1&code=${codes.join(',')}`;
      const read = async (path: unknown) => {
        const { json } = await send(catalog.url, 'GET', String(path));
        return json as { items: { id: string }[]; prev?: string; next?: string };
      };
      const first = await read(query);
      const second = await read(first.next);
      await send(catalog.url, 'DELETE', `/categories/${first.items[0]?.id}`, {
        headers: { 'if-match': '*' },
      });
      const back = await read(second.prev);
      expect(back.items).toEqual([]);
      expect((await read(back.next)).items).toEqual(second.items);
    },
  );
});

describe('fields', () => {
  it('are those that were chosen, in a list and of one, under the same ETag', async () => {
    const list = await send(catalog.url, 'GET', '/products?limit=2&fields=(sku,price,id)');
    const [first] = list.json['items'] as { id: string }[];
    expect(first).toEqual({
      id: expect.any(String) as string,
      sku: 'Q-00',
      price: { amount: 0.99, currency: 'USD' },
    });
    const next = await send(catalog.url, 'GET', String(list.json['next']));
    expect((next.json['items'] as { sku: string }[]).map(Object.keys)).toEqual([
      ['id', 'sku', 'price'],
      ['id', 'sku', 'price'],
    ]);
    const path = `/products/${first?.id}`;
    const whole = await send(catalog.url, 'GET', path);
    const part = await send(catalog.url, 'GET', `${path}?fields=(attributes,version)`);
    expect(part.json).toEqual({ attributes: whole.json['attributes'], version: 1 });
    expect(part.headers.get('etag')).toBe(whole.headers.get('etag'));
    const others = await send(catalog.url, 'GET', `${path}?fields=!(attributes,version)`);
    expect({ ...others.json, ...part.json }).toEqual(whole.json);
    const again = await send(catalog.url, 'GET', `${path}?fields=(id)`, {
      headers: { 'if-none-match': '"1"' },
    });
    expect(again.status).toBe(304);
    expectProblem(await send(catalog.url, 'GET', `${path}?fields=id`), 400, 'validation-failed');
  });
});

describe('HEAD', () => {
  it.each([
    '/products?limit=3&status=ACTIVE',
    '/products?q=boots',
    '/products/{id}',
    '/products/no',
  ])('of %s has the headers of GET and no body', async (pattern) => {
    const list = await send(catalog.url, 'GET', '/products?limit=1');
    const [first] = list.json['items'] as { id: string }[];
    const path = pattern.replace('{id}', first?.id ?? '');
    const [get, head] = await Promise.all([
      send(catalog.url, 'GET', path),
      send(catalog.url, 'HEAD', path),
    ]);
    const kept = ({ headers }: typeof get) =>
      [...headers].filter(
        ([name]) => !['connection', 'date', 'keep-alive', 'x-flow-id'].includes(name),
      );
    expect(head.status).toBe(get.status);
    expect(head.text).toBe('');
    expect(kept(head).map(([name]) => name)).toEqual(kept(get).map(([name]) => name));
    for (const name of ['content-type', 'etag'])
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    if (get.status === 200)
      expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
  });
});

describe('the search', () => {
  it('forgets the words that a product had, and those of one that is deleted', async () => {
    const created = await send(catalog.url, 'POST', '/products', {
      body: '{"sku":"S-99","name":"Unheard gizmo","attributes":{"secret":"whisper"}}',
    });
    const path = `/products/${String(created.json['id'])}`;
    await eventually(async () => (await skus('q=gizmo')).length === 1);
    await send(catalog.url, 'PATCH', path, {
      body: '{"name":"Unheard widget"}',
      headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' },
    });
    await eventually(async () => (await skus('q=widget')).length === 1);
    expect(await skus('q=gizmo')).toEqual([]);
    await send(catalog.url, 'DELETE', path, { headers: { 'if-match': '*' } });
    expect(await skus('q=widget')).toEqual([]);
    await eventually(async () => {
      const { rows } = await catalog.admin.query<{ left: number }>(
        "select count(*)::int as left from product_search where document @@ 'unheard'",
      );
      return rows[0]?.left === 0;
    });
  });

  it('goes on behind JSON that nobody could have sent', async () => {
    await catalog.admin.query(
      `insert into product (id, sku, name, attributes, status, version)
       values (gen_random_uuid(), 'S-98', 'Odd contraption', '{"a":"\\u0000"}', 'DRAFT', 1)`,
    );
    await eventually(async () => {
      const { rowCount } = await catalog.admin.query(
        "select from product_search where document @@ 'contraption'",
      );
      return rowCount === 1;
    });
    await catalog.admin.query(
      "update product set deleted_at = now(), version = 2 where sku = 'S-98'",
    );
  });
});
