import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { schemaIdPrefix } from '@outbound/contract';
import { createDatabase, type Database, type StoredAggregate } from '@outbound/outbox';
import { categoryTable, storedAggregates } from '@outbound/schemas';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { EntityIndex } from './entity-index.ts';
import type { DifferenceKind } from './entity-states.ts';
import { repair } from './repair.ts';

const category = storedAggregates.get('category') as StoredAggregate;
let server: PostgresServer;
let admin: pg.Pool;
let operatorPool: pg.Pool;
let writer: Database;
let operator: Database;

beforeAll(async () => {
  server = await startPostgres();
  const databaseUrl = await server.createDatabase('migrated');
  await migrateDatabase({
    databaseUrl,
    directory: 'migrations',
    passwords: { outbound_operator: 'operator' },
  });
  admin = new pg.Pool({ connectionString: databaseUrl });
  const login = { username: 'outbound_operator', password: 'operator' };
  operatorPool = new pg.Pool({ connectionString: Object.assign(new URL(databaseUrl), login).href });
  // Entities that have a history already.
  for (const table of ['category', 'product'])
    await admin.query(`alter table ${table} disable trigger user`);
  writer = createDatabase(admin);
  operator = createDatabase(operatorPool);
});
afterAll(async () => {
  await operatorPool?.end();
  await admin?.end();
  await server?.close();
});

async function insert({ version = 1, deletedAt = null as Date | null } = {}): Promise<string> {
  const id = uuidv7();
  await writer
    .insert(categoryTable)
    .values({ id, code: `c${id}`, name: 'Shoes', version, deletedAt });
  return id;
}

function indexOf(found: Readonly<Partial<Record<DifferenceKind, readonly string[]>>>): EntityIndex {
  const index = new EntityIndex();
  for (const [kind, ids] of Object.entries(found))
    for (const id of ids) index.mark(index.entryOf(id), kind as DifferenceKind);
  return index;
}

test('a row that was taken under older rules is put right like any other', async () => {
  const id = uuidv7();
  const product = storedAggregates.get('product');
  if (!product) throw new Error('there are no products');
  await admin.query(
    `insert into product (id, sku, name, price_amount, price_currency, status, version) values ($1, $2, ' p ', 1, 'HRK', 'ACTIVE', 2)`,
    [id, id],
  );
  const none = () => Promise.resolve(new Map<string, Buffer>());
  const done = await repair(operator, product, indexOf({ missing: [id] }), none, () =>
    Promise.resolve(),
  );
  expect(done).toMatchObject({ snapshots: 1, leftAlone: 0 });
  expect(await emittedOf([id])).toEqual([`${id} S2`]);
});

const valueOf = (id: string, version: number, more: object = {}) =>
  Buffer.from(
    JSON.stringify({
      data: {
        id,
        code: 'ghost',
        name: 'Ghost',
        version,
        created_at: '2026-01-02T03:04:05.678Z',
        updated_at: '2026-01-02T03:04:05.678Z',
        ...more,
      },
    }),
  );
const emittedOf = async (ids: readonly string[]) =>
  (
    await admin.query<{ line: string }>(
      `select aggregateid || ' ' || data_op || version as line from outbox where aggregateid = any($1) order by aggregateid`,
      [ids],
    )
  ).rows.map(({ line }) => line);

test('each entity gets the event that puts its record right, and what no event can put right gets none', async () => {
  const live = await insert({ version: 4 });
  const gone = await insert({ version: 5, deletedAt: new Date() });
  const [ahead, ghost, namedGhost, oldGhost, wrongGhost, unreadable, cameBack] = [
    await insert({ version: 2 }),
    ...Array.from({ length: 5 }, () => uuidv7()),
    await insert({ version: 1 }),
  ] as [string, string, string, string, string, string, string];
  const values = new Map([
    [ghost, valueOf(ghost, 7)],
    // As on a topic whose values name their schema.
    [namedGhost, Buffer.concat([schemaIdPrefix(12), valueOf(namedGhost, 2)])],
    // Published under another declaration, and under other rules.
    [oldGhost, valueOf(oldGhost, 3, { unknown: 1, code: 'Old Code' })],
    [wrongGhost, valueOf(wrongGhost, 7, { name: 1 })],
    [unreadable, Buffer.from('{"data":')],
  ]);
  const index = indexOf({
    missing: [live],
    undeleted: [gone],
    ahead: [ahead],
    ghost: [ghost, namedGhost, oldGhost, wrongGhost, cameBack, 'a stranger'],
    unreadable: [unreadable],
  });
  const asked: string[] = [];
  const done = await repair(
    operator,
    category,
    index,
    (keys) => {
      asked.push(...keys);
      return Promise.resolve(values);
    },
    () => Promise.resolve(),
  );
  expect(done).toEqual({ snapshots: 2, deletions: 1, ghosts: 3, leftAlone: 3 });
  const ghosts = [ghost, namedGhost, oldGhost, wrongGhost];
  expect(asked.sort()).toEqual([...ghosts, unreadable].sort());
  const deleted = [`${ghost} D8`, `${namedGhost} D3`, `${oldGhost} D4`];
  expect(await emittedOf([live, gone, ahead, ...ghosts, unreadable, cameBack])).toEqual(
    [`${live} S4`, `${gone} D5`, ...deleted, `${cameBack} S1`].sort(),
  );
});

test('a ghost whose row comes after the look at the table gets no tombstone', async () => {
  const id = uuidv7();
  const done = await repair(
    operator,
    category,
    indexOf({ ghost: [id] }),
    async () => {
      await writer.insert(categoryTable).values({ id, code: `c${id}`, name: 'New', version: 1 });
      return new Map([[id, valueOf(id, 3)]]);
    },
    () => Promise.resolve(),
  );
  expect(done).toMatchObject({ ghosts: 0, leftAlone: 1 });
  expect(await emittedOf([id])).toEqual([]);
});
