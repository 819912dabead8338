import { startPostgres } from '@outbound/local-stack';
import { createDatabase, type StoredAggregate } from '@outbound/outbox';
import { categoryTable, storedAggregates } from '@outbound/schemas';
import { PipelineError } from '@outbound/service-kit';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { discardKey } from './discard-key.ts';
import type { WaitingKey } from './waiting-keys.ts';

const category = storedAggregates.get('category') as StoredAggregate;

test('letters are given up together with the entity’s present state or not at all, and alone where that cannot be published', async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('discard');
  await migrateDatabase({
    databaseUrl: url,
    directory: 'migrations',
    passwords: { outbound_operator: 'operator' },
  });
  const admin = new pg.Pool({ connectionString: url });
  const login = { username: 'outbound_operator', password: 'operator' };
  const connectionString = Object.assign(new URL(url), login).href;
  const pool = new pg.Pool({ connectionString, options: '-c lock_timeout=20ms' });
  const operator = createDatabase(pool);
  const id = uuidv7();
  await admin.query('alter table category disable trigger category_first_version');
  await createDatabase(admin)
    .insert(categoryTable)
    .values({ id, code: 'c', name: 'n', version: 3 });
  const state = { since: '0/10:0@00000000', count: 2, done: 0, code: 'EVENT_TOO_LARGE', at: '' };
  const key: WaitingKey = {
    ...{ aggregateType: 'catalog.category', aggregateId: id, letters: [], place: '' },
    state: { ...state, type: 'catalog.category-change', firstEid: '', lastEid: '' },
  };
  const written = async () =>
    (
      await admin.query<{ row: string }>(
        `select concat_ws(' ', data_op, version, headers ->> 'outbound_discard') as row from outbox order by created_at, ctid`,
      )
    ).rows.map(({ row }) => row);

  const client = await admin.connect();
  await client.query('begin');
  await client.query('select from category for update');
  await expect(discardKey(operator, key, category)).rejects.toThrow();
  await client.query('rollback');
  client.release();
  expect(await written()).toEqual([]);

  expect(await discardKey(operator, key, category)).toEqual({ snapshots: 1 });
  expect(await written()).toEqual([`S 1 2 ${state.since}`, 'S 3']);

  const tooLarge: StoredAggregate = {
    ...category,
    toEntity: () => {
      throw new PipelineError('EVENT_TOO_LARGE', 'it is too large');
    },
  };
  expect(await discardKey(operator, key, tooLarge)).toEqual({
    ...{ snapshots: 0, unpublished: 'it is too large' },
  });
  expect((await written()).length).toBe(3);
  await pool.end();
  await admin.end();
});
