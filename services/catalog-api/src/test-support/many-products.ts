import { createDatabase } from '@outbound/outbox';
import type pg from 'pg';
import { indexChanges } from '../catalog/search-index.ts';
import { listEntities, type Page } from '../catalog/list.ts';
import type { CommandContext } from '../catalog/unit-of-work.ts';
import { listQuery, readListQuery } from '../http/list-query.ts';
import { productAggregate } from '../products/product-aggregate.ts';
import type { Aggregate } from '../catalog/aggregate.ts';
import { ExplainingPool, type Explained } from './explaining-pool.ts';

/**
 * Fills the table with products as a shop has them: a few brands and words are frequent and most are rare, one status is nearly everybody's, one attribute is of all values different. The same
 * at each run. Each hundredth is deleted. @param count number of the last one. @param first number of the first one: further ones come to those that are there.
 */
export async function fillProducts(admin: pg.Client, count: number, first = 1): Promise<void> {
  await admin.query(`
    insert into category (id, code, name, version)
    select format('01a1ed6e-1800-7c7e-a1b2-%s', lpad(to_hex(i), 12, '0'))::uuid, 'category-' || i, 'N', 1 from generate_series(0, 300) i
    on conflict do nothing`);
  await admin.query(`
    insert into product (id, sku, name, description, brand, category, price_amount, price_currency, attributes, status, version, created_at, updated_at, deleted_at)
    select format('%s-%s-7c7e-a1b2-%s', substr(hex, 1, 8), substr(hex, 9, 4), substr(md5(i::text), 1, 12))::uuid,
      'SKU-' || i, words.name, words.description,
      'Brand ' || (pow(h1, 3) * 2000)::int, 'category-' || (h2 * 300)::int,
      case when i % 20 <> 0 then round((h3 * 500)::numeric, 2) end, case when i % 20 <> 0 then case when i % 5 = 0 then 'USD' else 'EUR' end end,
      json_build_object('color', (array['red', 'green', 'blue', 'black'])[1 + (h1 * 3)::int], 'size', (h2 * 60)::int, 'ean', md5('ean' || i), 'in_stock', i % 10 <> 0),
      case when i % 50 = 0 then 'DRAFT' when i % 7 = 0 then 'DISCONTINUED' else 'ACTIVE' end,
      1, moment, moment, case when i % 100 = 0 then moment end
    from generate_series(${first}, ${count}) i
    cross join lateral (select lpad(to_hex(1795000000000 + i * 10), 12, '0') as hex, '2026-01-01'::timestamptz + i * interval '1 second' as moment,
      hashint8(i)::float8 / 4294967296 + 0.5 as h1, hashint8(i + 7)::float8 / 4294967296 + 0.5 as h2, hashint8(i + 11)::float8 / 4294967296 + 0.5 as h3) h
    cross join lateral (
      select string_agg(word, ' ') filter (where n <= 5) as name, string_agg(word, ' ') filter (where n > 5) as description
      from (select n, 'word' || (pow(hashint8(i * 31 + n)::float8 / 4294967296 + 0.5, 3) * 20000)::int as word from generate_series(1, 20) n) w
    ) words`);
  await admin.query('vacuum analyze product');
}

/** A list over a database, called as the route calls it, with what the server did for it. */
export class ExplainedLists implements AsyncDisposable {
  readonly #pool: ExplainingPool;
  readonly #context: CommandContext;

  constructor(connectionString: string) {
    this.#pool = new ExplainingPool({ connectionString, max: 1 });
    this.#context = {
      db: createDatabase(this.#pool),
      timeouts: () => Promise.resolve(undefined),
      now: () => new Date(),
      newId: () => '',
      flowId: '',
      principal: undefined,
      traceparent: undefined,
      onCommitted: () => undefined,
    };
  }

  /** @param query `status=ACTIVE&limit=10` */
  async list(query: string): Promise<{ page: Page; statements: readonly Explained[] }> {
    const sent: Record<string, string | string[]> = {};
    for (const [name, value] of new URLSearchParams(query)) {
      const before = sent[name];
      sent[name] = before === undefined ? value : [before, value].flat();
    }
    const aggregate = productAggregate as Aggregate;
    const asked = readListQuery(aggregate, listQuery(aggregate).parse(sent));
    this.#pool.explained.length = 0;
    const page = await listEntities(this.#context, aggregate, { ...asked, maxBytes: 1_048_576 });
    return { page, statements: [...this.#pool.explained] };
  }

  /** Brings everything into the search, and gives how many entities. */
  async index(limit: number): Promise<number> {
    const { search } = productAggregate;
    if (search === undefined) throw new Error('products are searched');
    const aggregate = { ...(productAggregate as Aggregate), search };
    for (let all = 0; ;) {
      const { count, isDone } = await indexChanges(this.#context, aggregate, limit);
      all += count;
      if (isDone) return all;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}

/** Each filter alone, and the worst that they make together: what a query can be made to cost. */
export const queryCases: readonly string[] = [
  'limit=100',
  'sort=-id&limit=100',
  'sku=SKU-777',
  'status=ACTIVE',
  'status=ACTIVE,DRAFT,DISCONTINUED',
  'brand=Brand+0&brand=Brand+1&brand=Brand+2&brand=Brand+3',
  'category=category-7',
  'updated_after=2026-01-01T02:00:00Z',
  'sort=-updated_at',
  'price_min=19.99&price_max=20.01&price_currency=EUR',
  'sort=-price&price_currency=USD',
  'attribute=ean:c81e728d9d4c2f636f067f89cc14862c',
  'attribute=color:red',
  'attribute=color:red&attribute=in_stock:true&attribute=size:7',
  'q=word0',
  'q=word19990',
  'q=word0+word1',
  'q=word0+word19990',
  // Few fulfil each of these, and an index knows one of them at most.
  'status=DRAFT&brand=Brand+0&category=category-7',
  'status=DISCONTINUED&brand=Brand+0&sort=-updated_at',
  'status=DRAFT&price_min=1&price_currency=EUR&updated_after=2026-01-01T00:00:00Z&q=word0+word1+word2&attribute=color:red',
  'q=word0&status=DRAFT&sort=-price&price_currency=USD&limit=1000',
  'status=DRAFT&sort=price&price_currency=EUR&limit=1000',
  'limit=1000',
];
