import pg from 'pg';
import { createDatabase } from '@outbound/outbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listEntities } from './catalog/list.ts';
import { maxFew } from './catalog/read-page.ts';
import { listQuery, readListQuery } from './http/list-query.ts';
import { productAggregate } from './products/product-aggregate.ts';
import type { Aggregate } from './catalog/aggregate.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';

/* The statements of a page see one moment. */

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

/** Lets somebody else write between two statements of a reader. */
class InterruptedPool extends pg.Pool {
  constructor(url: string, between: () => Promise<unknown>) {
    super({ connectionString: url, max: 1 });
    let reads = 0;
    this.on('connect', (client) => {
      const run = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      const query = async (...args: unknown[]): Promise<unknown> => {
        const [config] = args as [string | { text: string }];
        const text = typeof config === 'string' ? config : config.text;
        if (/^\s*select/.test(text)) {
          reads += 1;
          if (reads === 2) await between();
        }
        return run(...args);
      };
      Object.assign(client, { query });
    });
  }
}

it('a page has all of the few, also when more come while it is made', async () => {
  const fill = (from: number, to: number) =>
    catalog.admin.query(
      `insert into product (id, sku, name, brand, price_amount, price_currency, status, version)
       select ('00000000-0000-7000-8000-' || lpad(to_hex($1 + i), 12, '0'))::uuid, 'F-' || ($1 + i), 'N', 'B', $1 + i, 'EUR', 'ACTIVE', 1
       from generate_series(0, $2::int - $1::int) i`,
      [from, to],
    );
  await fill(1_000, 999 + maxFew);
  // Before the others in the order of ids, which is how the few are found.
  const pool = new InterruptedPool(catalog.apiUrl, () => fill(1, 100));
  const aggregate = productAggregate as Aggregate;
  const asked = readListQuery(
    aggregate,
    listQuery(aggregate).parse({ brand: 'B', sort: '-price', price_currency: 'EUR', limit: '5' }),
  );
  const context = {
    db: createDatabase(pool),
    timeouts: () => Promise.resolve(undefined),
    now: () => new Date(),
    newId: () => '',
    flowId: '',
    principal: undefined,
    traceparent: undefined,
    onCommitted: () => undefined,
  };
  const page = await listEntities(context, aggregate, { ...asked, maxBytes: 1_048_576 });
  await pool.end();
  expect(page.rows.map(({ decode }) => decode()['sku'])).toEqual(
    [0, 1, 2, 3, 4].map((n) => `F-${999 + maxFew - n}`),
  );
}, 60_000);
