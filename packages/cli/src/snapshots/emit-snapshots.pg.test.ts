import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import {
  createDatabase,
  inTransaction,
  type Database,
  type StoredAggregate,
} from '@outbound/outbox';
import { categoryTable, storedAggregates } from '@outbound/schemas';
import { eq } from 'drizzle-orm';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { emitSnapshots } from './emit-snapshots.ts';

const category = storedAggregates.get('category') as StoredAggregate;
const passwords = { outbound_operator: 'operator' };
let server: PostgresServer;
let admin: pg.Pool;
/** As the API writes. */
let writer: Database;
/** As a person at the command line emits: with the operator's rights only. */
let operator: Database;
let count = 0;

beforeAll(async () => {
  server = await startPostgres();
  const databaseUrl = await server.createDatabase('migrated');
  await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
});
afterAll(() => server?.close());
beforeEach(async () => {
  const url = await server.createDatabase(`snapshots_${(count += 1)}`, 'migrated');
  admin = new pg.Pool({ connectionString: url });
  const login = { username: 'outbound_operator', password: 'operator' };
  const pool = new pg.Pool({ connectionString: Object.assign(new URL(url), login).href });
  // Entities that have a history already.
  await admin.query('alter table category disable trigger user');
  writer = createDatabase(admin);
  operator = createDatabase(pool);
  return async () => {
    await pool.end();
    await admin.end();
  };
});

async function insert({ version = 1, deletedAt = null as Date | null } = {}): Promise<string> {
  const id = uuidv7();
  const code = `c${id}`;
  await writer.insert(categoryTable).values({ id, code, name: 'Shoes', version, deletedAt });
  return id;
}

interface Emitted {
  readonly aggregateid: string;
  readonly version: string;
  readonly data_op: string;
  readonly payload: string;
}
const emitted = async () =>
  (
    await admin.query<Emitted>(
      'select aggregateid, version, data_op, payload::text from outbox order by aggregateid, version',
    )
  ).rows;

test('a live row gives S and a deleted one D, both with the version that the row has, and no row changes', async () => {
  const live = await insert({ version: 7 });
  const deleted = await insert({ version: 3, deletedAt: new Date() });
  const before = await writer.select().from(categoryTable);
  expect(await emitSnapshots(operator, category, [deleted, live, live])).toEqual({
    snapshots: 1,
    deletions: 1,
    missing: [],
  });
  const events = await emitted();
  expect(events).toMatchObject([
    { aggregateid: live, version: '7', data_op: 'S' },
    { aggregateid: deleted, version: '3', data_op: 'D' },
  ]);
  expect(JSON.parse(events[0]?.payload ?? '')).toMatchObject({
    data_op: 'S',
    data: { id: live, version: 7 },
  });
  expect(await writer.select().from(categoryTable)).toEqual(before);
});

test('an id without a row, and a text that is no id, emit nothing and are named', async () => {
  const live = await insert();
  const unknown = uuidv7();
  expect(await emitSnapshots(operator, category, [unknown, 'ghost', live])).toEqual({
    snapshots: 1,
    deletions: 0,
    missing: [unknown, 'ghost'],
  });
  expect(await emitSnapshots(operator, category, ['ghost'])).toEqual({
    snapshots: 0,
    deletions: 0,
    missing: ['ghost'],
  });
  expect(await emitted()).toHaveLength(1);
});

test('a snapshot waits for the change that is under way, and says the version that it made', async () => {
  const id = await insert();
  let tellLocked: () => void = () => undefined;
  let finish: () => void = () => undefined;
  const isLocked = new Promise<void>((resolve) => (tellLocked = resolve));
  const mayFinish = new Promise<void>((resolve) => (finish = resolve));
  const change = inTransaction(writer, async ({ tx, emit }) => {
    const [row] = await tx
      .update(categoryTable)
      .set({ version: 2, name: 'Boots' })
      .where(eq(categoryTable.id, id))
      .returning();
    tellLocked();
    await mayFinish;
    if (!row) throw new Error('the row is gone');
    const data = category.toEntity(row);
    await emit(category.eventType, { aggregateId: id, version: 2, dataOp: 'U', data });
  });
  await isLocked;
  const snapshot = emitSnapshots(operator, category, [id]);
  await eventually(async () => {
    const { rows } = await admin.query<{ waiting: boolean }>(
      "select exists (select from pg_stat_activity where wait_event_type = 'Lock') as waiting",
    );
    return rows[0]?.waiting;
  });
  finish();
  await change;
  await snapshot;
  const events = await emitted();
  expect(events.map(({ version, data_op }) => `${version} ${data_op}`).sort()).toEqual([
    '2 S',
    '2 U',
  ]);
  expect(events.find(({ data_op }) => data_op === 'S')?.payload).toContain('"name":"Boots"');
});
