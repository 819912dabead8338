import { parseArgs } from 'node:util';
import { loadavg } from 'node:os';
import { startPostgres } from '@outbound/local-stack';
import pg from 'pg';
import { migrateDatabase } from '../services/catalog-api/src/migrations/migrate-database.ts';
import {
  ExplainedLists,
  fillProducts,
  queryCases,
} from '../services/catalog-api/src/test-support/many-products.ts';

/**
 * `npm run bench:queries -- [--products 1000000]`: what each filter of the list costs Postgres over so many products, and the worst that filters make together: the indexes, rows and
 * pages that were read, and how long it took, as the table of docs/queries.md.
 */
const { values } = parseArgs({ options: { products: { type: 'string', default: '1000000' } } });
const products = Number(values.products);

const postgres = await startPostgres();
const databaseUrl = await postgres.createDatabase('queries');
await migrateDatabase({
  databaseUrl,
  directory: new URL('../migrations/', import.meta.url).pathname,
  passwords: { outbound_api: 'api' },
});
const admin = new pg.Client(databaseUrl);
await admin.connect();
const timed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
  const began = performance.now();
  await work();
  console.log(`${what}: ${((performance.now() - began) / 1_000).toFixed(1)} s`);
};
await timed(`${products} products inserted`, () => fillProducts(admin, products));
const lists = new ExplainedLists(
  Object.assign(new URL(databaseUrl), { username: 'outbound_api', password: 'api' }).href,
);
await timed('brought into the search', () => lists.index(5_000));
await admin.query('vacuum analyze product, product_search');
const load = () => loadavg()[0]?.toFixed(1);
console.log(`load ${load()}\n\n| query | items | statements: indexes | rows read | pages | ms |`);
console.log('| --- | ---: | --- | ---: | ---: | ---: |');
for (const query of queryCases) {
  // The first time it comes from the disk.
  await lists.list(query);
  const { page, statements } = await lists.list(query);
  const sum = (of: (statement: (typeof statements)[number]) => number) =>
    statements.reduce((total, statement) => total + of(statement), 0);
  const scans = statements.map(({ scans: each }) => [...new Set(each)].join(' ') || '–').join('; ');
  console.log(
    `| \`${query}\` | ${page.rows.length} | ${scans} | ${sum(({ rowsRead }) => rowsRead)} | ${sum(({ pages }) => pages)} | ${sum(({ milliseconds }) => milliseconds).toFixed(1)} |`,
  );
}
const { rows: sizes } = await admin.query<{ name: string; size: string }>(
  `select indexrelid::regclass::text as name, pg_size_pretty(pg_relation_size(indexrelid)) as size from pg_index
   where indrelid in ('product'::regclass, 'product_search'::regclass) order by pg_relation_size(indexrelid) desc`,
);
console.log(`\nload ${load()}\n${sizes.map(({ name, size }) => `${name} ${size}`).join('\n')}`);
await lists[Symbol.asyncDispose]();
await admin.end();
await postgres.close();
