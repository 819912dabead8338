import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { eventTypeRegistry, JsonNumber, defineEventType, stateRoute } from '@outbound/contract';
import { categoryChange, categoryTable, productChange, type Category } from '@outbound/schemas';
import { maxEventBytes } from './tables/outbox.ts';
import { errorForLog } from '@outbound/service-kit';
import { eq, sql } from 'drizzle-orm';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrateDatabase } from '../../../services/catalog-api/src/migrations/migrate-database.ts';
import { createDatabase, type Database, type Transaction } from './database.ts';
import { inTransaction } from './in-transaction.ts';

let server: PostgresServer;
let admin: pg.Pool;
/** As the role that the API has in production. */
let pool: pg.Pool;
let db: Database;

beforeAll(async () => {
  server = await startPostgres({ settings: { track_commit_timestamp: 'on' } });
  const url = await server.createDatabase('catalog');
  await migrateDatabase({
    databaseUrl: url,
    directory: 'migrations',
    passwords: { outbound_api: 'api' },
  });
  admin = new pg.Pool({ connectionString: url });
  const apiUrl = Object.assign(new URL(url), { username: 'outbound_api', password: 'api' }).href;
  pool = new pg.Pool({ connectionString: apiUrl, max: 20 });
  pool.on('error', () => undefined);
  db = createDatabase(pool);
});
afterAll(async () => {
  await pool?.end();
  await admin?.end();
  await server?.close();
});
beforeEach(async () => {
  await admin.query(`
    truncate category;
    alter table outbox disable trigger user;
    delete from outbox;
    alter table outbox enable trigger user`);
});

interface StoredRow {
  readonly id: string;
  readonly aggregateid: string;
  readonly version: string;
  readonly payload: string;
  readonly headers: string;
}

async function outbox(): Promise<readonly StoredRow[]> {
  const { rows } = await admin.query<StoredRow>(
    'select id, aggregateid, version, payload::text, headers::text from outbox order by aggregateid, version',
  );
  return rows;
}

function newCategory(code: string): Category {
  const now = '2026-03-01T12:00:00.000Z';
  return { id: uuidv7(), code, name: code, version: 1, created_at: now, updated_at: now };
}

async function insert(tx: Transaction, { id, code, name, version }: Category): Promise<void> {
  await tx.insert(categoryTable).values({ id, code, name, version });
}

const created = (category: Category) => ({
  aggregateId: category.id,
  version: category.version,
  dataOp: 'C' as const,
  data: category,
});

test('row and event commit together, and the event says what was declared', async () => {
  const shoes = newCategory('shoes');
  const eid = await inTransaction(db, async ({ tx, emit }) => {
    await insert(tx, shoes);
    return emit(categoryChange, {
      ...created(shoes),
      flowId: 'flow-1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      occurredAt: new Date('2026-03-01T12:00:00Z'),
    });
  });
  const [row] = await outbox();
  expect(row).toMatchObject({ id: eid, aggregateid: shoes.id, version: '1' });
  expect(JSON.parse(row?.payload ?? '')).toEqual({
    metadata: {
      eid,
      event_type: 'catalog.category-change',
      occurred_at: '2026-03-01T12:00:00.000Z',
      version: '1.0.0',
      flow_id: 'flow-1',
    },
    data_op: 'C',
    data_type: 'catalog.category',
    data: shoes,
  });
  expect(JSON.parse(row?.headers ?? '')).toEqual({
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    flow_id: 'flow-1',
  });
});

test('a rollback emits nothing', async () => {
  const attempt = inTransaction(db, async ({ tx, emit }) => {
    const shoes = newCategory('shoes');
    await insert(tx, shoes);
    await emit(categoryChange, created(shoes));
    throw new Error('changed my mind');
  });
  await expect(attempt).rejects.toThrow('changed my mind');
  expect(await outbox()).toEqual([]);
  expect(await db.select().from(categoryTable)).toEqual([]);
});

test('a rollback to a savepoint takes its events with it and leaves the others', async () => {
  const [kept, lost] = [newCategory('kept'), newCategory('lost')];
  await inTransaction(db, async ({ tx, emit }) => {
    await insert(tx, kept);
    await emit(categoryChange, created(kept));
    await tx
      .transaction(async (inner) => {
        await insert(inner, lost);
        await emit(categoryChange, created(lost));
        throw new Error('only this part');
      })
      .catch(() => undefined);
  });
  expect((await outbox()).map((row) => row.aggregateid)).toEqual([kept.id]);
});

test('numbers keep every digit on the way into the outbox and back out of a table', async () => {
  const id = uuidv7();
  const now = '2026-03-01T12:00:00.000Z';
  await inTransaction(db, async ({ emit }) =>
    emit(productChange, {
      aggregateId: id,
      version: 1,
      dataOp: 'C',
      data: {
        id,
        sku: 'A',
        name: 'A',
        attributes: { big: new JsonNumber('12345678901234567890'), exact: new JsonNumber('1.50') },
        status: 'ACTIVE',
        version: 1,
        created_at: now,
        updated_at: now,
      },
    }),
  );
  expect((await outbox())[0]?.payload).toContain(
    '"attributes":{"big":12345678901234567890,"exact":1.50}',
  );
});

test('a statement whose error is swallowed fails the transaction, for Postgres answers its commit with a rollback', async () => {
  const shoes = newCategory('shoes');
  const attempt = inTransaction(db, async ({ tx, emit }) => {
    await insert(tx, shoes);
    await emit(categoryChange, created(shoes));
    await tx.execute(sql`select 1 / 0`).catch(() => undefined);
    return 'looks fine';
  });
  await expect(attempt).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED' });
  expect(await outbox()).toEqual([]);
});

test('so does a statement that was neither awaited nor looked at', async () => {
  const attempt = inTransaction(db, async ({ tx }) => {
    await insert(tx, newCategory('shoes'));
    tx.execute(sql`select 1 / 0`).catch(() => undefined);
  });
  await expect(attempt).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED' });
  expect(await db.select().from(categoryTable)).toEqual([]);
});

test('an emit whose error is swallowed fails the transaction: no state without its event', async () => {
  const shoes = newCategory('shoes');
  const attempt = inTransaction(db, async ({ tx, emit }) => {
    await insert(tx, shoes);
    await emit(categoryChange, { ...created(shoes), data: { code: 'shoes' } }).catch(
      () => undefined,
    );
  });
  await expect(attempt).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  expect(await db.select().from(categoryTable)).toEqual([]);
});

test('an emit that was not awaited fails the transaction', async () => {
  const shoes = newCategory('shoes');
  let pending: Promise<unknown> = Promise.resolve();
  const attempt = inTransaction(db, async ({ tx, emit }) => {
    await insert(tx, shoes);
    pending = emit(categoryChange, created(shoes));
  });
  await expect(attempt).rejects.toMatchObject({ code: 'EMIT_NOT_AWAITED' });
  await pending;
  expect(await outbox()).toEqual([]);
  expect(await db.select().from(categoryTable)).toEqual([]);
});

test('an emit after the end is refused', async () => {
  const shoes = newCategory('shoes');
  const emit = await inTransaction(db, (open) => Promise.resolve(open.emit));
  await expect(emit(categoryChange, created(shoes))).rejects.toMatchObject({
    code: 'EMIT_NOT_AWAITED',
  });
});

test('an event that could never be published is refused and nothing is written; the largest that can passes', async () => {
  const noteAdded = defineEventType({
    ...categoryChange,
    name: 'catalog.note-added',
    dataType: 'catalog.note',
    value: z.looseObject({ data: z.strictObject({ text: z.string() }) }),
    routes: [stateRoute('catalog.note', { partitions: 1, retentionMs: 1_000 })],
  });
  eventTypeRegistry([noteAdded]);
  const send = (length: number) =>
    inTransaction(db, async ({ tx, emit }) => {
      await insert(tx, newCategory(`c${length}`));
      const data = { text: 'ä'.repeat(length) };
      await emit(noteAdded, { aggregateId: 'n', version: 1, dataOp: 'C', data });
    });
  await send(1);
  const overhead = Buffer.byteLength((await outbox())[0]?.payload ?? '') - 2;
  const most = Math.floor((maxEventBytes - overhead) / 2);
  await send(most);
  await expect(send(most + 1)).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
  expect(await outbox()).toHaveLength(2);
  expect(await db.select().from(categoryTable)).toHaveLength(2);
});

test('two transactions that deadlock both succeed, with exactly one event each', async () => {
  const [a, b] = [newCategory('a'), newCategory('b')];
  await inTransaction(db, async ({ tx }) => {
    await insert(tx, a);
    await insert(tx, b);
  });
  let runs = 0;
  let arrived = 0;
  let openGate: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (openGate = resolve));
  const lock = (tx: Transaction, id: string) =>
    tx.select().from(categoryTable).where(eq(categoryTable.id, id)).for('update');
  const write = (first: Category, second: Category) =>
    inTransaction(db, async ({ tx, emit }) => {
      runs += 1;
      await lock(tx, first.id);
      // Only the first runs meet: both hold one lock before either asks for the other.
      if (++arrived === 2) openGate();
      await gate;
      await lock(tx, second.id);
      await emit(categoryChange, { ...created(first), version: 2, data: { ...first, version: 2 } });
    });
  await Promise.all([write(a, b), write(b, a)]);
  expect(runs).toBe(3);
  expect(await outbox()).toHaveLength(2);
});

test('a conflict that does not end is WRITE_CONFLICT after the bound, with nothing written', async () => {
  let runs = 0;
  const attempt = inTransaction(
    db,
    async ({ tx, emit }) => {
      runs += 1;
      const shoes = newCategory('shoes');
      await insert(tx, shoes);
      await emit(categoryChange, created(shoes));
      await tx.execute(sql`do $$ begin raise serialization_failure; end $$`);
    },
    { attempts: 3 },
  );
  await expect(attempt).rejects.toMatchObject({ code: 'WRITE_CONFLICT' });
  expect(runs).toBe(3);
  expect(await outbox()).toEqual([]);
});

test('fifty concurrent writers of one entity give versions 1 to 51 in the order of their commits', async () => {
  const shoes = newCategory('shoes');
  await inTransaction(db, async ({ tx, emit }) => {
    await insert(tx, shoes);
    await emit(categoryChange, created(shoes));
  });
  await Promise.all(
    Array.from({ length: 50 }, () =>
      inTransaction(db, async ({ tx, emit }) => {
        const [row] = await tx
          .select()
          .from(categoryTable)
          .where(eq(categoryTable.id, shoes.id))
          .for('update');
        const version = (row?.version ?? 0) + 1;
        await tx.update(categoryTable).set({ version }).where(eq(categoryTable.id, shoes.id));
        const data = { ...shoes, version };
        await emit(categoryChange, { aggregateId: shoes.id, version, dataOp: 'U', data });
      }),
    ),
  );
  const { rows } = await admin.query<{ version: string }>(
    'select version from outbox order by pg_xact_commit_timestamp(xmin)',
  );
  expect(rows.map((row) => Number(row.version))).toEqual(
    Array.from({ length: 51 }, (_, index) => index + 1),
  );
});

test('a connection that breaks inside a transaction is not used again, and the pool goes on', async () => {
  const single = new pg.Pool({ ...pool.options, max: 1 });
  single.on('error', () => undefined);
  const narrow = createDatabase(single);
  const attempt = inTransaction(narrow, async ({ tx }) => {
    await tx.execute(sql`select 1`);
    await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'outbound_api' and state = 'idle in transaction'`,
    );
    await tx.execute(sql`select 1`);
  });
  await expect(attempt).rejects.toThrow();
  await inTransaction(narrow, async ({ tx }) => {
    await insert(tx, newCategory('after'));
  });
  expect(await narrow.select().from(categoryTable)).toHaveLength(1);
  expect(single.totalCount).toBe(1);
  await single.end();
});

test('a connection whose transaction could not be ended serves nobody else', async () => {
  const single = new pg.Pool({ ...pool.options, max: 1, query_timeout: 300 });
  const narrow = createDatabase(single);
  const attempt = inTransaction(narrow, ({ tx }) => tx.execute(sql`select pg_sleep(60)`));
  await expect(attempt).rejects.toThrow();
  await inTransaction(narrow, ({ tx }) => insert(tx, newCategory('after')));
  expect(await narrow.select().from(categoryTable)).toHaveLength(1);
  await single.end();
});

test('an error of the database, as it is logged, holds no row values', async () => {
  const shoes = newCategory('secret-code');
  const write = () => inTransaction(db, ({ tx }) => insert(tx, shoes));
  await write();
  const error = await write().catch((thrown: unknown) => thrown);
  expect(String(error)).toContain('secret-code');
  const logged = JSON.stringify(errorForLog(error));
  expect(logged).toContain('23505');
  expect(logged).not.toContain('secret-code');
});
