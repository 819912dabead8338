import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { eventsOf } from './database-facts.ts';

let server: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  server = await startPostgres();
  const databaseUrl = await server.createDatabase('traced');
  await migrateDatabase({ databaseUrl, directory: 'migrations' });
  pool = new pg.Pool({ connectionString: databaseUrl });
});
afterAll(async () => {
  await pool?.end();
  await server?.close();
});

test('the newest event of an entity is the one with the highest version, also where versions have different numbers of digits', async () => {
  await pool.query(
    `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
     select gen_random_uuid(), 'catalog.product', 'p', 'catalog.product-change', n, 'U', '{}'
     from generate_series(1, 1001) n`,
  );
  const { events, retained } = await eventsOf(pool, 'p', 3);
  expect(events.map(({ version }) => version)).toEqual([1001, 1000, 999]);
  expect(retained).toBe(1001);
});
