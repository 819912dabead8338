import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { categoryChange, categoryTable, type Category } from '@outbound/schemas';
import { eq, sql } from 'drizzle-orm';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrateDatabase } from '../../../services/catalog-api/src/migrations/migrate-database.ts';
import { createDatabase, type Database, type Transaction } from './database.ts';
import { inTransaction } from './in-transaction.ts';

let server: PostgresServer;
let url: string;
let admin: pg.Client;
/** One connection, so that whatever outlives a transaction meets the next one. */
let pool: pg.Pool;
let db: Database;
let count = 0;

beforeAll(async () => {
  server = await startPostgres();
  const template = await server.createDatabase('migrated');
  const passwords = { outbound_api: 'api' };
  await migrateDatabase({ databaseUrl: template, directory: 'migrations', passwords });
});
afterAll(() => server?.close());
beforeEach(async () => {
  url = await server.createDatabase(`end_${(count += 1)}`, 'migrated');
  admin = new pg.Client({ connectionString: url });
  await admin.connect();
  pool = apiPool(1);
  db = createDatabase(pool);
  return async () => {
    await pool.end();
    await admin.end();
  };
});

/** As the role that the API has in production. */
function apiPool(max: number): pg.Pool {
  const login = { username: 'outbound_api', password: 'api' };
  return new pg.Pool({ connectionString: Object.assign(new URL(url), login).href, max });
}

function newCategory(code: string): Category {
  const now = '2026-03-01T12:00:00.000Z';
  return { id: uuidv7(), code, name: code, version: 1, created_at: now, updated_at: now };
}
const insert = async (tx: Transaction, { id, code, name, version }: Category) => {
  await tx.insert(categoryTable).values({ id, code, name, version });
};
const codes = async () =>
  (await admin.query<{ code: string }>('select code from category order by code')).rows.map(
    ({ code }) => code,
  );
const versions = async () =>
  (await admin.query<{ version: string }>('select version from outbox order by version')).rows.map(
    ({ version }) => Number(version),
  );

test('a statement after the end is refused, and does not join the transaction that has the connection now', async () => {
  const late = await inTransaction(db, ({ tx }) => Promise.resolve(tx));
  await inTransaction(db, async ({ tx }) => {
    await insert(tx, newCategory('inside'));
    await expect(insert(late, newCategory('late'))).rejects.toMatchObject({
      cause: { code: 'TRANSACTION_ENDED' },
    });
  });
  expect(await codes()).toEqual(['inside']);
});

test('a transaction that has ended can end no other one', async () => {
  const late = await inTransaction(db, ({ tx }) => Promise.resolve(tx));
  const attempt = inTransaction(db, async ({ tx }) => {
    await insert(tx, newCategory('inside'));
    await expect(late.execute(sql`commit`)).rejects.toMatchObject({
      cause: { code: 'TRANSACTION_ENDED' },
    });
    throw new Error('changed my mind');
  });
  await expect(attempt).rejects.toThrow('changed my mind');
  expect(await codes()).toEqual([]);
});

test('work that goes on behind the end of its transaction writes nothing outside of it', async () => {
  let straggler: Promise<void> = Promise.resolve();
  await inTransaction(db, async ({ tx }) => {
    await insert(tx, newCategory('inside'));
    straggler = tx
      .execute(sql`select 1`)
      .then(() => pool.query('select 1'))
      .then(() => insert(tx, newCategory('behind')));
    straggler.catch(() => undefined);
  });
  await expect(straggler).rejects.toMatchObject({ cause: { code: 'TRANSACTION_ENDED' } });
  expect(await codes()).toEqual(['inside']);
});

test('an emit that was not awaited reaches the server once', async () => {
  const sent: string[] = [];
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
    client.query = ((...parameters: unknown[]) => {
      sent.push((parameters[0] as { text: string }).text);
      return query(...parameters);
    }) as typeof client.query;
  });
  const shoes = newCategory('shoes');
  let pending: Promise<unknown> = Promise.resolve();
  const attempt = inTransaction(db, ({ emit }) => {
    pending = emit(categoryChange, {
      aggregateId: shoes.id,
      version: 1,
      dataOp: 'C',
      data: shoes,
    });
    return Promise.resolve();
  });
  await expect(attempt).rejects.toMatchObject({ code: 'EMIT_NOT_AWAITED' });
  await pending;
  expect(sent.map((text) => text.split(' ')[0])).toEqual(['begin', 'insert', 'rollback']);
});

test.each(['repeatable read', 'serializable'] as const)(
  'of two %s transactions that read the same version one runs again, and both have exactly one event',
  async (isolationLevel) => {
    const wide = apiPool(2);
    const database = createDatabase(wide);
    const shoes = newCategory('shoes');
    await inTransaction(database, ({ tx }) => insert(tx, shoes));
    let runs = 0;
    let arrived = 0;
    let openGate: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (openGate = resolve));
    const write = () =>
      inTransaction(
        database,
        async ({ tx, emit }) => {
          runs += 1;
          const [row] = await tx.select().from(categoryTable).where(eq(categoryTable.id, shoes.id));
          // Only the first runs meet: both have read before either writes.
          if (++arrived === 2) openGate();
          await gate;
          const version = (row?.version ?? 0) + 1;
          await tx.update(categoryTable).set({ version }).where(eq(categoryTable.id, shoes.id));
          const data = { ...shoes, version };
          await emit(categoryChange, { aggregateId: shoes.id, version, dataOp: 'U', data });
        },
        { isolationLevel },
      );
    try {
      await Promise.all([write(), write()]);
    } finally {
      await wide.end();
    }
    expect(runs).toBe(3);
    expect(await versions()).toEqual([2, 3]);
  },
);
