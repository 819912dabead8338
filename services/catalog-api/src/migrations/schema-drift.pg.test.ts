import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import { operationTable, outboxSealTable, outboxTable, relaySlotTable } from '@outbound/outbox';
import {
  categoryTable,
  erasureTable,
  idempotencyKeyTable,
  productSearchTable,
  productTable,
  searchProgressTable,
} from '@outbound/schemas';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { declaredDdl, tablesOf } from '../test-support/declared-tables.ts';
import { migrateDatabase } from './migrate-database.ts';

const tables = [
  categoryTable,
  erasureTable,
  idempotencyKeyTable,
  operationTable,
  outboxSealTable,
  outboxTable,
  productSearchTable,
  productTable,
  relaySlotTable,
  searchProgressTable,
];

describe.each<PostgresMajor>([18, 15])('the tables on Postgres %i', (major) => {
  let server: PostgresServer;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startPostgres({ major });
    const url = await server.createDatabase('catalog');
    await migrateDatabase({ databaseUrl: url, directory: 'migrations' });
    client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('create schema declared');
    for (const table of tables) await client.query(declaredDdl(table, 'declared'));
  });
  afterAll(async () => {
    await client?.end();
    await server?.close();
  });

  /** The runner's own table is not declared. */
  const migrated = async () =>
    (await tablesOf(client, 'public')).filter((line) => !line.startsWith('schema_migration'));

  test('that the migrations create are those that packages/schemas declares', async () => {
    const declared = await tablesOf(client, 'declared');
    expect(declared.length).toBeGreaterThan(80);
    expect(await migrated()).toEqual(declared);
  });

  test.each([
    'alter table product add column colour text',
    'alter table product drop column brand',
    'alter table product alter column name type varchar(200)',
    'alter table product alter column category set not null',
    'alter table product alter column status set default $$DRAFT$$',
    'alter table outbox alter column headers drop default',
    'alter table product drop constraint product_sound_check',
    'alter table category drop constraint category_version_check, add constraint category_version_check check (version >= 0)',
    'alter table idempotency_key drop constraint idempotency_key_pkey, add constraint idempotency_key_pkey primary key (key, scope)',
    'drop index product_brand_idx',
    'drop index product_sku_key; create unique index product_sku_key on product (sku)',
    'create table another ()',
    'alter table relay_slot set unlogged',
    'drop table relay_slot',
  ])('a difference is seen: %s', async (statement) => {
    await client.query('begin');
    try {
      await client.query(statement);
      expect(await migrated()).not.toEqual(await tablesOf(client, 'declared'));
    } finally {
      await client.query('rollback');
    }
  });
});
