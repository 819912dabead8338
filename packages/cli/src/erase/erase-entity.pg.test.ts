import { startPostgres } from '@outbound/local-stack';
import { createDatabase, type StoredAggregate } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { eraseEntity } from './erase-entity.ts';

const category = storedAggregates.get('category') as StoredAggregate;

test('a category that products name is not erased, and is when they are gone; the event has nothing of it', async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('erase');
  await migrateDatabase({
    databaseUrl: url,
    directory: 'migrations',
    passwords: { outbound_operator: 'operator' },
  });
  const admin = new pg.Pool({ connectionString: url });
  const login = { username: 'outbound_operator', password: 'operator' };
  const pool = new pg.Pool({ connectionString: Object.assign(new URL(url), login).href });
  const operator = createDatabase(pool);
  const id = uuidv7();
  await admin.query(
    "insert into category (id, code, name, version) values ($1, 'lovelace', 'Lovelace', 1)",
    [id],
  );
  await admin.query(
    "insert into product (id, sku, name, category, status, version) values (gen_random_uuid(), 'S', 'N', 'lovelace', 'ACTIVE', 1)",
  );

  await expect(eraseEntity(operator, category, id, undefined)).rejects.toMatchObject({
    code: 'ENTITY_REFERRED',
    message: expect.stringContaining('1 product refers to it, the first is ') as string,
  });
  expect((await admin.query('select from outbox')).rowCount).toBe(0);

  await admin.query('update product set version = 2, deleted_at = now()');
  expect(await eraseEntity(operator, category, id, undefined)).toMatchObject({ version: 2 });
  const { rows } = await admin.query<{ text: string }>('select payload::text as text from outbox');
  expect(rows.map(({ text }) => /lovelace/i.test(text))).toEqual([false]);
  expect(await eraseEntity(operator, category, uuidv7(), undefined)).toBeUndefined();
  await pool.end();
  await admin.end();
});
