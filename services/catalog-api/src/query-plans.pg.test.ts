import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxFew, maxLookedAt } from './catalog/read-page.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { ExplainedLists, fillProducts, queryCases } from './test-support/many-products.ts';

/** What a query costs has a bound, whatever is asked: here over 20,000 products; a million are in `npm run bench:queries`. */
const count = 20_000;
let catalog: TestCatalog;
let lists: ExplainedLists;
beforeAll(async () => {
  catalog = await startCatalog();
  await fillProducts(catalog.admin, count);
  lists = new ExplainedLists(catalog.apiUrl);
  await lists.index(5_000);
  await catalog.admin.query('vacuum analyze product, product_search');
});
afterAll(async () => {
  await lists[Symbol.asyncDispose]();
  await catalog.close();
});

describe('a page', () => {
  it.each(queryCases)('%s reads indexes, and no more rows than its bound', async (query) => {
    const { statements } = await lists.list(query);
    const scans = statements.flatMap((statement) => statement.scans);
    // But for Postgres' own small catalogs: pg_database tells one history from another.
    expect(scans.filter((scan) => /^Seq Scan on (?!pg_)/.test(scan))).toEqual([]);
    expect(scans.length).toBeGreaterThan(0);
    const limit = Number(new URLSearchParams(query).get('limit') ?? 100);
    const isSimple = statements.length === 1 || query.startsWith('updated_after');
    // Its own rows, as many of each value, or for each filter the ids that are counted, and then the rows that are looked at, or those of the fewest.
    const values = query.split(/[,&]/).length;
    for (const { rowsRead, text } of statements)
      expect(rowsRead, text).toBeLessThan(
        isSimple ? values * (limit + 30) : 3 * (Math.max(maxLookedAt, maxFew) + limit),
      );
  });
});

describe('filters of which no index knows enough', () => {
  it('are walked in pages that may be empty, each product once, forth and back', async () => {
    const query = 'sort=id&price_min=499.9&price_currency=EUR&limit=1000';
    const all: string[] = [];
    const sizes: number[] = [];
    let pages = 0;
    let last: string | undefined;
    for (let cursor: string | undefined = ''; cursor !== undefined; pages += 1) {
      const { page } = await lists.list(`${query}${cursor && `&cursor=${cursor}`}`);
      sizes.push(page.rows.length);
      all.push(...page.rows.map(({ place }) => place.id));
      last = page.prev;
      cursor = page.next;
    }
    const { rows } = await catalog.admin.query<{ id: string }>(
      "select id from product where deleted_at is null and price_amount >= 499.9 and price_currency = 'EUR' order by id",
    );
    // 19,800 are live.
    expect(pages).toBe(4);
    expect(sizes).toContain(0);
    expect(rows.length).toBeGreaterThan(0);
    expect(all).toEqual(rows.map(({ id }) => id));
    const back: string[] = [];
    for (let cursor = last; cursor !== undefined;) {
      const { page } = await lists.list(`${query}&cursor=${cursor}`);
      back.unshift(...page.rows.map(({ place }) => place.id));
      cursor = page.prev;
    }
    expect(back).toEqual(all.slice(0, back.length));
  });
});

describe('a walk through many more products', () => {
  beforeAll(async () => {
    // So many that a plan from far within the order estimates more than a page looks at.
    await fillProducts(catalog.admin, 3 * count, count + 1);
  });

  it('looks by the index alone, in its middle too', async () => {
    const query = 'sort=-price&price_currency=EUR&status=ACTIVE&limit=1000';
    let cursor: string | undefined = '';
    // The plan of old changed after six pages.
    for (let pages = 0; cursor !== undefined && pages < 12; pages += 1) {
      const from: string = cursor && `&cursor=${cursor}`;
      const { page, statements } = await lists.list(`${query}${from}`);
      for (const { rowsRead, scans } of statements) {
        // Towards the end the planner takes the rest by a bitmap and sorts it.
        expect(rowsRead, scans.join()).toBeLessThan(3 * maxLookedAt);
        expect(scans).not.toContain('Seq Scan on product');
      }
      cursor = page.next;
    }
  }, 120_000);
});
