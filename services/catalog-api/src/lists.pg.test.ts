import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { send } from './test-support/http-client.ts';

interface Page {
  readonly self: string;
  readonly first: string;
  readonly prev?: string;
  readonly next?: string;
  readonly items: readonly { readonly id: string; readonly sku: string }[];
}

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
  for (const n of [0, 1, 2])
    await send(catalog.url, 'POST', '/categories', { body: `{"code":"c-${n}","name":"N"}` });
  const items = Array.from(
    { length: 25 },
    (_, n) =>
      `{"sku":"L-${String(n).padStart(2, '0')}","name":"N","status":"${n % 2 ? 'ACTIVE' : 'DRAFT'}","brand":"${n % 5 ? 'A & B' : 'C'}","category":"c-${n % 3}"}`,
  );
  await send(catalog.url, 'POST', '/products/batch', { body: `{"items":[${items.join(',')}]}` });
});
afterAll(() => catalog.close());

const page = async (path: string): Promise<Page> => {
  const reply = await send(catalog.url, 'GET', path);
  expect(reply.status).toBe(200);
  return reply.json as unknown as Page;
};
const skus = ({ items }: Page) => items.map(({ sku }) => sku);
const walk = async (path: string, step: 'next' | 'prev'): Promise<Page[]> => {
  const pages: Page[] = [];
  for (let link: string | undefined = path; link !== undefined; link = pages.at(-1)?.[step])
    pages.push(await page(link));
  return pages;
};

describe('a list', () => {
  it('is walked forth and back, each product once, in the order of creation', async () => {
    const all = Array.from({ length: 25 }, (_, n) => `L-${String(n).padStart(2, '0')}`);
    const forth = await walk('/products?limit=10', 'next');
    expect(forth.map((each) => each.items.length)).toEqual([10, 10, 5]);
    expect(forth.flatMap(skus)).toEqual(all);
    expect(forth[0]).not.toHaveProperty('prev');
    const back = await walk(forth[2]?.self ?? '', 'prev');
    expect(back.map(skus).reverse().flat()).toEqual(all);
    expect(await page(forth[1]?.first ?? '')).toEqual(forth[0]);
  });

  it('has no next page after exactly full ones', async () => {
    const pages = await walk('/products?limit=5', 'next');
    expect(pages).toHaveLength(5);
    expect(pages.at(-1)).not.toHaveProperty('next');
  });

  it('has 100 items a page if nobody asks, and 1,000 at most', async () => {
    expect((await page('/products')).self).toBe('/products?limit=100');
    expect((await page('/products?limit=1000')).items).toHaveLength(25);
  });

  it.each([
    ['status=ACTIVE', 12],
    ['brand=A%20%26%20B', 20],
    ['category=c-0', 9],
    ['sku=L-07', 1],
    ['status=ACTIVE&category=c-0', 4],
    ['sku=none', 0],
  ])('filtered by %s has %i products, on all of its pages together', async (query, count) => {
    const pages = await walk(`/products?${query}&limit=3`, 'next');
    expect(pages.flatMap(skus)).toHaveLength(count);
  });

  it('leaves out what was deleted and loses nothing else, also between two pages', async () => {
    const first = await page('/products?limit=10');
    const gone = first.items[9];
    const reply = await send(catalog.url, 'DELETE', `/products/${gone?.id}`, {
      headers: { 'if-match': '*' },
    });
    expect(reply.status).toBe(204);
    expect(skus(await page(first.next ?? ''))[0]).toBe('L-10');
    expect((await walk('/products?limit=10', 'next')).flatMap(skus)).not.toContain(gone?.sku);
  });

  it('is read through an index and not by a scan', async () => {
    await catalog.admin.query('set enable_seqscan = off');
    const { rows } = await catalog.admin.query<{ 'QUERY PLAN': string }>(
      `explain select * from product where deleted_at is null and status = 'ACTIVE'
       and id > '00000000-0000-7000-8000-000000000000' order by id limit 11`,
    );
    await catalog.admin.query('reset enable_seqscan');
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('product_status_idx');
    expect(plan).not.toContain('Sort');
  });
});

describe('with a public URL', () => {
  it('links and Location are absolute, whatever the Host header says', async () => {
    const service = await catalog.startAnother({ publicUrl: 'https://catalog.example.com/' });
    const base = `http://127.0.0.1:${service.port}`;
    const list = await send(base, 'GET', '/products?limit=1');
    expect(list.json['next']).toMatch(
      /^https:\/\/catalog\.example\.com\/products\?limit=1&cursor=/,
    );
    const created = await send(base, 'POST', '/products', { body: '{"sku":"PUB","name":"N"}' });
    expect(created.headers.get('location')).toBe(
      `https://catalog.example.com/products/${String(created.json['id'])}`,
    );
  });
});
