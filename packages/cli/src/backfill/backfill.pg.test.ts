import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { outbound } from '../test-support/outbound.ts';

let server: PostgresServer;
let admin: pg.Pool;
let env: Record<string, string>;
let count = 0;

beforeAll(async () => {
  server = await startPostgres();
  const databaseUrl = await server.createDatabase('migrated');
  const passwords = { outbound_operator: 'operator' };
  await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
});
afterAll(() => server?.close());
beforeEach(async () => {
  const url = await server.createDatabase(`backfill_${(count += 1)}`, 'migrated');
  admin = new pg.Pool({ connectionString: url });
  const login = { username: 'outbound_operator', password: 'operator' };
  env = { OUTBOUND_DATABASE_URL: Object.assign(new URL(url), login).href };
  // 25 categories, every fifth one deleted.
  await admin.query(`
    alter table category disable trigger category_first_version;
    insert into category (id, code, name, version, deleted_at)
    select ('01930e2a-7b1c-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'c' || n, 'c', n, case when n % 5 = 0 then now() end from generate_series(1, 25) n`);
  return async () => admin.end();
});

const run = (argv: readonly string[], signal?: AbortSignal) =>
  outbound(['--json', 'backfill', ...argv], {
    env,
    ...(signal ? { signal } : {}),
  });
const emitted = async () => {
  const { rows } = await admin.query<{ data_op: string; n: number }>(
    'select data_op, count(*)::int as n from outbox group by data_op order by data_op',
  );
  return Object.fromEntries(rows.map(({ data_op, n }) => [data_op, n]));
};
const operations = async () =>
  (
    await admin.query<{ outcome: string | null; parameters: string }>(
      'select outcome, parameters::text from operation order by started_at, id',
    )
  ).rows;

test('every entity is emitted once: S if it lives, D if it is deleted; and the run is in the audit', async () => {
  const { code, err, json } = await run(['category', '--chunk', '4', '--yes']);
  expect(err).toContain(
    '20 live (S events) and 5 deleted (D events, tombstones), in 7 transactions',
  );
  expect(code).toBe(0);
  expect(json()).toMatchObject([
    { aggregate: 'category', snapshots: 20, deletions: 5, missing: 0 },
  ]);
  expect(await emitted()).toEqual({ D: 5, S: 20 });
  const { rows } = await admin.query<{ n: number }>(
    'select count(distinct xmin::text)::int as n from outbox',
  );
  expect(rows).toEqual([{ n: 7 }]);
  expect(await operations()).toMatchObject([{ outcome: 'done' }]);
});

test('nothing is emitted without a yes, in a dry run, or for a wrong command line', async () => {
  expect(await run(['category'])).toMatchObject({ code: 4 });
  expect(await run(['category', '--dry-run', '--yes'])).toMatchObject({ code: 0 });
  for (const argv of [
    ['thing', '--yes'],
    ['category', '--where', 'colour=red', '--yes'],
    ['category', '--where', 'version=many', '--yes'],
    ['category', '--from-id', '7', '--yes'],
    ['category', '--resume', '--yes'],
    ['category', '--resume', '--live-only', '--yes'],
  ])
    expect(await run(argv), argv.join(' ')).toMatchObject({ code: 2 });
  expect(await emitted()).toEqual({});
  expect(await operations()).toEqual([]);
});

test('filters choose the entities', async () => {
  const { json } = await run(['category', '--where', 'code=c7', '--yes']);
  expect(json()).toMatchObject([{ snapshots: 1, deletions: 0 }]);
  await run(['category', '--live-only', '--updated-since', '2020-01-01T00:00:00Z', '--yes']);
  await run(['category', '--updated-since', '2999-01-01T00:00:00Z', '--yes']);
  expect(await emitted()).toEqual({ S: 21 });
});

test('an interrupted run is offered and goes on where it was, and then it is offered no more', async () => {
  const stop = new AbortController();
  const interrupted = run(['category', '--chunk', '3', '--rate', '20', '--yes'], stop.signal);
  await eventually(async () => ((await emitted())['S'] ?? 0) > 0);
  stop.abort();
  const { code, err } = await interrupted;
  expect(code).toBe(130);
  expect(err).toMatch(/--resume [0-9a-f-]{36} goes on/);
  const first = await emitted();
  expect((first['S'] ?? 0) + (first['D'] ?? 0)).toBeLessThan(25);

  const dry = await run(['category', '--dry-run']);
  expect(dry.err).toMatch(/ended with INTERRUPTED after \d+ entities: --resume/);
  const resumed = await run(['category', '--resume', '--rate', '0', '--yes']);
  expect(resumed).toMatchObject({ code: 0 });
  expect(resumed.json()).toMatchObject([{ snapshots: 20, deletions: 5 }]);
  expect(await emitted()).toEqual({ D: 5, S: 20 });
  expect((await operations()).map(({ outcome }) => outcome)).toEqual(['resumed', 'done']);
  expect((await run(['category', '--dry-run'])).err).not.toContain('earlier run');
});

test('a second run of the same aggregate is refused, another aggregate is not', async () => {
  const stop = new AbortController();
  const first = run(['category', '--chunk', '1', '--rate', '5', '--yes'], stop.signal);
  await eventually(async () => ((await emitted())['S'] ?? 0) > 0);
  const second = await run(['category', '--yes']);
  expect(second.code).toBe(6);
  expect(second.err).toContain('OPERATION_BUSY');
  expect(await run(['product', '--yes'])).toMatchObject({ code: 0 });
  stop.abort();
  expect(await first).toMatchObject({ code: 130 });
});

test('a row that was taken under older rules is emitted like any other', async () => {
  await admin.query(`
    alter table product disable trigger product_first_version, disable trigger product_category_exists_insert;
    insert into product (id, sku, name, category, price_amount, price_currency, status, version, deleted_at)
    select ('01930e2a-7b1c-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'p' || n, ' p ', 'Old Shoes', 1, 'HRK', 'ACTIVE', 2,
           case when n = 2 then now() end
    from generate_series(1, 3) n`);
  const { code, json } = await run(['product', '--yes']);
  expect(code).toBe(0);
  expect(json()).toMatchObject([{ aggregate: 'product', snapshots: 2, deletions: 1 }]);
  const { rows } = await admin.query<{ currency: string }>(
    `select payload #>> '{data,price,currency}' as currency from outbox where type = 'catalog.product-change'`,
  );
  expect(rows.map(({ currency }) => currency)).toEqual(['HRK', 'HRK', 'HRK']);
});
