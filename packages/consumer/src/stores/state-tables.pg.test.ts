import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgresStore } from './postgres-store.ts';
import { stateTableDdl } from './state-tables.ts';

let postgres: PostgresServer;
let url: string;
let pool: pg.Pool;
beforeAll(async () => {
  postgres = await startPostgres();
  url = await postgres.createDatabase('marks');
  pool = new pg.Pool({ connectionString: url });
});
afterAll(async () => {
  await pool.end();
  await postgres.close();
});
beforeEach(() =>
  pool.query(
    'drop schema if exists other cascade; drop schema public cascade; create schema public',
  ),
);

const open = (table = 'state') => openPostgresStore(pool, { table, topic: 'topic' });
const write = async (table = 'state') => {
  const store = await open(table);
  await store.positions();
  await store.applyBatch({
    entries: [{ key: 'ours', version: 1, value: Buffer.from('1'), partition: 0, offset: 0n }],
    positions: [{ partition: 0, nextOffset: 1n, mark: '' }],
  });
  return store;
};
const columns = '(key text primary key, version bigint, value json not null)';
/** Everything that is in the database but for our own catalog entries: tables, views, comments and rows. */
async function contents(): Promise<unknown> {
  const { rows } = await pool.query<{ name: string; kind: string; comment: string | null }>(
    `select c.oid::regclass::text as name, relkind::text as kind, obj_description(c.oid, 'pg_class') as comment
     from pg_class c join pg_namespace n on n.oid = relnamespace where nspname in ('public', 'other') and relkind in ('r', 'v', 'm', 'p') order by 1`,
  );
  return Promise.all(
    rows.map(async (table) => ({
      ...table,
      rows: (await pool.query(`select * from ${table.name}`)).rows as unknown[],
    })),
  );
}

describe('a table that is not ours', () => {
  it.each([
    ['made by hand', 'create table state (id int); insert into state values (1)'],
    [
      'with the same columns',
      `create table state ${columns}; insert into state values ('theirs', 1, '1')`,
    ],
    ['with the same columns, and empty', `create table state ${columns}`],
    [
      'with a comment of its own',
      `create table state ${columns}; comment on table state is '{"outbound":"state"}'; insert into state values ('theirs', 1, '1')`,
    ],
    ['a view', `create view state as select 'k' as key, 1 as version, '1'::json as value`],
    [
      'a view with our mark',
      `create view state as select 'k' as key, 1 as version, '1'::json as value; comment on view state is '{"outbound":"state","format":2}'`,
    ],
    ['a materialized view', `create materialized view state as select 1 as key`],
    ['a partitioned table', `create table state (key text primary key) partition by hash (key)`],
    [
      'of an earlier release, which made no mark',
      `create table state ${columns}; insert into state values ('theirs', 1, '1');
       create table state_position (topic text, partition int, next_offset bigint, current_at timestamptz, primary key (topic, partition));
       insert into state_position values ('topic', 0, 1, now())`,
    ],
    [
      'our structure with rows of their own, as a dump without positions leaves it',
      `${stateTableDdl('state')}; insert into state values ('theirs', 1, '1')`,
    ],
    [
      'a copy of ours that they made for themselves',
      `${stateTableDdl('origin')}; create table state (like origin including all); create table state_position (like origin_position including all);
       insert into state values ('theirs', 1, '1')`,
    ],
    [
      'only their own table of positions',
      'create table state_position (topic text); insert into state_position values (1)',
    ],
    [
      'our table beside positions of theirs',
      `${stateTableDdl('state')}; drop table state_position; create table state_position (topic text); insert into state_position values ('topic')`,
    ],
    ['our positions, whose table was dropped', `${stateTableDdl('state')}; drop table state`],
    [
      'a table in another schema of the search path',
      `create schema other; create table other.state ${columns}; insert into other.state values ('theirs', 1, '1')`,
    ],
    [
      'ours with rows that a crash takes and positions that stay',
      `${stateTableDdl('state')}; alter table state set unlogged`,
    ],
    [
      'a table that inherits from ours',
      `${stateTableDdl('state')}; create table child () inherits (state); insert into child values ('theirs', 1, '1')`,
    ],
  ])('is refused and left as it is: %s', async (_, sql) => {
    await pool.query(`alter database marks set search_path = public, other`);
    const seeing = new pg.Pool({ connectionString: url });
    try {
      await pool.query(sql);
      const before = await contents();
      const opening = openPostgresStore(seeing, { table: 'state', topic: 'topic' });
      await expect(opening).rejects.toMatchObject({
        code: 'STORE_UNUSABLE',
        message: expect.stringMatching(/"?state"?.*nothing was changed; name a table/) as string,
      });
      expect(await contents()).toEqual(before);
    } finally {
      await seeing.end();
    }
  });

  it('is not emptied and not written where it came into the place of ours meanwhile', async () => {
    const store = await write();
    await pool.query(
      `drop table state; create table state ${columns}; insert into state values ('theirs', 1, '1')`,
    );
    const before = await contents();
    await expect(store.clear(0)).rejects.toMatchObject({ code: 'STORE_UNUSABLE' });
    await expect(
      store.applyBatch({
        entries: [{ key: 'a', version: 1, value: Buffer.from('1'), partition: 0, offset: 1n }],
        positions: [{ partition: 0, nextOffset: 2n, mark: '' }],
      }),
    ).rejects.toMatchObject({ code: 'STORE_UNUSABLE' });
    expect(await contents()).toEqual(before);
  });
});

describe('a table that is ours', () => {
  it('may be unlogged with its positions, and with one of them it is not written to any more', async () => {
    await pool.query(
      `${stateTableDdl('state')}; alter table state set unlogged; alter table state_position set unlogged`,
    );
    const store = await write();
    await pool.query('alter table state_position set logged');
    await expect(store.confirm(1)).rejects.toMatchObject({ code: 'STORE_UNUSABLE' });
    await expect(store.applyBatch({ entries: [], positions: [] })).rejects.toThrow(
      'or is unlogged and its positions are not, or the other way round',
    );
  });

  it('was made by us, also by those who migrate themselves, twice', async () => {
    await pool.query(stateTableDdl('state'));
    await pool.query(stateTableDdl('state'));
    await write();
    await pool.query(stateTableDdl('state'));
    expect((await (await open()).positions()).partitions.size).toBe(1);
  });

  it('stays it under another name', async () => {
    await write('fresh');
    await pool.query(
      'alter table fresh rename to state; alter table fresh_position rename to state_position',
    );
    expect((await (await open()).positions()).partitions.size).toBe(1);
  });

  it('is found where the search path finds it, and written there even if another comes before it', async () => {
    await pool.query('create schema other');
    await pool.query(`alter database marks set search_path = other, public`);
    const seeing = new pg.Pool({ connectionString: url });
    try {
      const store = await openPostgresStore(seeing, { table: 'public.state', topic: 'topic' });
      await pool.query(
        `create table other.state ${columns}; create table other.state_position (topic text)`,
      );
      await store.applyBatch({
        entries: [],
        positions: [{ partition: 0, nextOffset: 1n, mark: '' }],
      });
      await store.clear(0);
      await expect(
        openPostgresStore(seeing, { table: 'state', topic: 'topic' }),
      ).rejects.toMatchObject({
        code: 'STORE_UNUSABLE',
      });
    } finally {
      await seeing.end();
      await pool.query(`alter database marks reset search_path`);
    }
  });

  it('is made once by two who open it at the same time', async () => {
    await Promise.all([open(), open(), open()]);
    await write();
  });
});
