import type { Socket } from 'node:net';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { stringifyJson } from '@outbound/contract';
import { categoryChange, categoryTable, type Category } from '@outbound/schemas';
import { eq, sql } from 'drizzle-orm';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrateDatabase } from '../../../services/catalog-api/src/migrations/migrate-database.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { changeInOne, changeStatement } from './change-in-one.ts';
import { createDatabase, type Database } from './database.ts';
import { outboxRow } from './outbox-row.ts';
import { PreparedStatement } from './prepared-statement.ts';
import { readStatement } from './run-statement.ts';

/* A change and its event by one statement, and what is told of it when it fails. */

let server: PostgresServer;
let admin: pg.Client;
/** As the role that the API has in production. */
let pool: pg.Pool;
let db: Database;
/** The pool's connection, of which there is one at a time. */
let connection: pg.Client;

beforeAll(async () => {
  server = await startPostgres({ major: 18 });
  const url = await server.createDatabase('catalog');
  await migrateDatabase({
    databaseUrl: url,
    directory: 'migrations',
    passwords: { outbound_api: 'api' },
  });
  admin = new pg.Client({ connectionString: url });
  await admin.connect();
  // The commit carries out what stands in the name: waits for the lock 4711, raises an error with this SQLSTATE, or meets a conflict twice.
  await admin.query(`
    create sequence tries;
    grant usage on sequence tries to outbound_api;
    create function do_at_commit() returns trigger language plpgsql as $$
      begin
        if new.name = 'wait' then perform pg_advisory_xact_lock_shared(4711);
        elsif new.name = 'conflict' and nextval('tries') < 3 then raise serialization_failure;
        elsif new.name ~ '^[0-9P][0-9A-Z]{4}$' then raise exception 'refused at commit' using errcode = new.name;
        end if;
        return null;
      end $$;
    create constraint trigger do_at_commit after insert on category deferrable initially deferred
      for each row execute function do_at_commit()`);
  pool = new pg.Pool({
    connectionString: Object.assign(new URL(url), { username: 'outbound_api', password: 'api' })
      .href,
    max: 1,
    application_name: 'subject',
  });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => (connection = client));
  db = createDatabase(pool);
});
afterAll(async () => {
  await pool?.end();
  await admin?.end();
  await server?.close();
});
beforeEach(() =>
  admin.query(`truncate category; alter table outbox disable trigger user; delete from outbox;
    alter table outbox enable trigger user; select pg_advisory_lock(4711)`),
);
afterEach(async () => {
  pool.removeAllListeners('acquire');
  await admin.query('select pg_advisory_unlock_all()');
});

const insert = changeStatement(
  'category_insert',
  sql`insert into ${categoryTable} (id, code, name, version)
    values (${sql.placeholder('id')}, ${sql.placeholder('code')}, ${sql.placeholder('name')}, 1)`,
);
const rename = changeStatement(
  'category_rename',
  sql`update ${categoryTable} set name = ${sql.placeholder('name')}, version = version + 1
    where ${eq(categoryTable.id, sql.placeholder('id'))} and version = ${sql.placeholder('before')}`,
);
function newCategory(name: string): Category {
  const now = '2026-03-01T12:00:00.000Z';
  return { id: uuidv7(), code: 'shoes', name, version: 1, created_at: now, updated_at: now };
}
const event = (data: Category, dataOp: 'C' | 'U' = 'C') =>
  outboxRow(categoryChange, {
    aggregateId: data.id,
    version: data.version,
    dataOp,
    data,
    dataText: stringifyJson(data),
  });
const create = (category: Category) =>
  changeInOne(db, {
    statement: insert,
    values: { ...category },
    event: () => event(category),
  });
async function stored() {
  const { rows } = await admin.query<{ name: string; payload: string | null }>(
    `select c.name, o.payload::text from category c full join outbox o on o.aggregateid = c.id::text order by o.version`,
  );
  return rows;
}
const terminate = async (state: string) => {
  const pid = await eventually(async () => {
    const { rows } = await admin.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name = 'subject' and wait_event = $1",
      [state],
    );
    return rows[0]?.pid;
  });
  await admin.query('select pg_terminate_backend($1, 5000)', [pid]);
};
async function codesOf(attempt: Promise<unknown>): Promise<readonly unknown[]> {
  const codes: unknown[] = [];
  try {
    await attempt;
  } catch (thrown) {
    for (let error = thrown; error instanceof Error; error = error.cause)
      codes.push((error as { code?: unknown }).code);
  }
  return codes.filter((code) => code !== undefined);
}

describe('a change and its event by one statement', () => {
  it('are both there, the event with the bytes that were given for its data', async () => {
    const shoes = newCategory('Shoes "ä" 😀');
    expect(await create(shoes)).toBe(true);
    const renamed = { ...shoes, name: 'Boots', version: 2 };
    const change = { statement: rename, event: () => event(renamed, 'U') };
    expect(await changeInOne(db, { ...change, values: { ...renamed, before: 1 } })).toBe(true);
    const rows = await stored();
    expect(rows.map(({ name }) => name)).toEqual(['Boots', 'Boots']);
    expect(rows[0]?.payload).toMatch(
      /^\{"metadata":\{.*\},"data_op":"C","data_type":"catalog.category","data":/,
    );
    expect(rows.map(({ payload }) => payload?.split(',"data":')[1])).toEqual(
      [shoes, renamed].map((data) => `${stringifyJson(data)}}`),
    );
  });

  it('are neither there where there was nothing to change', async () => {
    const shoes = newCategory('Shoes');
    await create(shoes);
    const change = {
      statement: rename,
      values: { ...shoes, name: 'Late', before: 7 },
      event: () => event({ ...shoes, version: 8 }, 'U'),
    };
    expect(await changeInOne(db, change)).toBe(false);
    expect(await stored()).toHaveLength(1);
  });

  it('are tried again after a conflict with another transaction', async () => {
    expect(await create(newCategory('conflict'))).toBe(true);
    expect(await stored()).toHaveLength(1);
  });
});

describe('what breaks while it is out leaves the outcome open:', () => {
  it.each(['EPROTO', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'SOMETHING_NEW', undefined])(
    'a connection that fails with %s',
    async (code) => {
      const attempt = codesOf(create(newCategory('wait')));
      await eventually(async () => {
        const { rows } = await admin.query(
          "select from pg_stat_activity where application_name = 'subject' and wait_event = 'advisory'",
        );
        return rows.length > 0;
      });
      (connection.connection.stream as Socket).destroy(
        Object.assign(new Error('it broke'), { code }),
      );
      expect((await attempt)[0]).toBe('OUTCOME_UNKNOWN');
      // It was made all the same: "nothing was written" would have been untrue.
      await admin.query('select pg_advisory_unlock_all()');
      await eventually(async () => (await stored()).length === 1);
    },
  );

  it('a session that is ended by the server', async () => {
    const attempt = codesOf(create(newCategory('wait')));
    await terminate('advisory');
    expect(await attempt).toEqual(['OUTCOME_UNKNOWN', '57P01']);
  });

  it.each(['40003', '08007'])('the answer %s, which says that nobody knows', async (state) => {
    expect(await codesOf(create(newCategory(state)))).toEqual(['OUTCOME_UNKNOWN', state]);
  });
});

describe('what was not written is told by its cause:', () => {
  it.each(['23514', '53100', 'P0001'])('%s at the commit', async (state) => {
    expect(await codesOf(create(newCategory(state)))).toEqual([state]);
    expect(await stored()).toEqual([]);
  });

  it('a unique key that is taken, and the connection goes on', async () => {
    await create(newCategory('Shoes'));
    expect(await codesOf(create(newCategory('Other')))).toEqual(['23505']);
    expect(await stored()).toHaveLength(1);
    expect(pool.totalCount).toBe(1);
  });

  it('a connection that was gone before the statement was sent', async () => {
    pool.once('acquire', (client: pg.PoolClient) => (client.connection.stream as Socket).destroy());
    const attempt = create(newCategory('Shoes'));
    await expect(attempt).rejects.toThrow(/before the statement was sent/);
    expect(await stored()).toEqual([]);
    expect(await create(newCategory('Shoes'))).toBe(true);
  });
});

describe('a prepared statement', () => {
  it('that its session has lost is carried out all the same, once', async () => {
    await create(newCategory('Shoes'));
    // As behind a pooler that gives another session.
    pool.once('acquire', (client: pg.PoolClient) => {
      // What does not come about shows below.
      client.query('deallocate all').catch(() => undefined);
    });
    expect(await create({ ...newCategory('Boots'), code: 'boots' })).toBe(true);
    expect(await stored()).toHaveLength(2);
    expect(await create({ ...newCategory('Hats'), code: 'hats' })).toBe(true);
  });

  it('whose plan does not fit the table any more is carried out all the same', async () => {
    await admin.query('create table thing (id int); grant select on thing to outbound_api');
    await admin.query('insert into thing values (7)');
    const read = new PreparedStatement('thing', sql`select id from thing`);
    expect(await readStatement(db, read.bind({}))).toEqual([[7]]);
    await admin.query('alter table thing alter id type text');
    expect(await readStatement(db, read.bind({}))).toEqual([['7']]);
    expect(await readStatement(db, read.bind({}))).toEqual([['7']]);
  });
});
