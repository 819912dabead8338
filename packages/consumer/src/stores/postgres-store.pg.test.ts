import { schemaIdPrefix } from '@outbound/contract';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgresStore } from './postgres-store.ts';
import type { StorePool } from './store-pool.ts';
import type { StateEntry, StatePosition } from './state-store.ts';
import { stateTableDdl } from './state-tables.ts';

let postgres: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  postgres = await startPostgres();
  pool = new pg.Pool({ connectionString: await postgres.createDatabase('stores') });
});
afterAll(async () => {
  await pool.end();
  await postgres.close();
});
beforeEach(() => pool.query('drop schema public cascade; create schema public'));

const put = (key: string, version: number | undefined, value: string | undefined): StateEntry => ({
  key,
  version,
  value: value === undefined ? undefined : Buffer.from(value),
  partition: 0,
  offset: 7n,
});
const at = (nextOffset: bigint, partition = 0, mark = `m${nextOffset}`): StatePosition => ({
  partition,
  nextOffset,
  mark,
});
const open = (table = 'state', topic = 'topic') => openPostgresStore(pool, { table, topic });
const rows = async () =>
  (
    await pool.query<{ key: string; version: string; value: string }>(
      'select key, version, value::text as value from state order by key',
    )
  ).rows.map(({ key, version, value }) => [key, version, value]);

describe('a state in Postgres', () => {
  it('keeps the bytes of the value, deletes by tombstone, and never goes back to an older version', async () => {
    const store = await open();
    await store.applyBatch({
      positions: [at(3n)],
      entries: [
        put('a', 2, '{"n": 1.50,  "q":"\\"\\\\{},"}'),
        put('b', 1, '{"x":null}'),
        put('c', undefined, '"ä€😀"'),
      ],
    });
    await store.applyBatch({
      positions: [at(6n)],
      entries: [put('a', 1, '{}'), put('b', undefined, undefined), put('c', undefined, '3')],
    });
    expect(await rows()).toEqual([
      ['a', '2', '{"n": 1.50,  "q":"\\"\\\\{},"}'],
      ['c', null, '3'],
    ]);
    await store.applyBatch({
      positions: [at(8n)],
      entries: [put('a', 1, undefined), put('c', 1, undefined)],
    });
    expect((await rows()).map(([key]) => key)).toEqual(['a']);
  });

  it('says the same of many entries, which go another way: bytes, versions, deletions', async () => {
    const store = await open();
    const many = Array.from({ length: 2000 }, (_, n) =>
      put(`k${n}`, n, `{"n": ${n}.50, "s":"\\"ä😀\\t"}`),
    );
    const odd = [
      put('large', Number.MAX_SAFE_INTEGER, '1'),
      put('negative', -5, '2'),
      put('none', undefined, '{ "x" : [ ] }\n'),
      put('ä😀', 1, '"3"'),
      put('gone', 1, undefined),
    ];
    await store.applyBatch({
      entries: [put('k5', 9, '"newer"'), put('gone', 1, '1')],
      positions: [at(1n)],
    });
    await store.applyBatch({ entries: [...many, ...odd], positions: [at(3000n), at(4n, 1)] });
    const found = new Map((await rows()).map(([key, version, value]) => [key, [version, value]]));
    expect(found.size).toBe(2004);
    expect(found.get('k5')).toEqual(['9', '"newer"']);
    expect(found.get('k1999')).toEqual(['1999', '{"n": 1999.50, "s":"\\"ä😀\\t"}']);
    expect(found.get('large')).toEqual([String(Number.MAX_SAFE_INTEGER), '1']);
    expect(found.get('negative')).toEqual(['-5', '2']);
    expect(found.get('none')).toEqual([null, '{ "x" : [ ] }\n']);
    expect(found.get('ä😀')).toEqual(['1', '"3"']);
    const { partitions } = await (await open()).positions();
    expect([...partitions.values()]).toEqual([at(3000n), at(4n, 1)]);
    // Nothing of the way there is left behind.
    const temporary = await pool.query("select from pg_class where relname = 'outbound_staging'");
    expect(temporary.rowCount).toBe(0);
  });

  it('writes without a staging table where the role may make none', async () => {
    await pool.query(
      `revoke temporary on database stores from public; drop role if exists writer; create role writer login password 'w'; grant all on schema public to writer`,
    );
    const url = new URL(String(pool.options.connectionString));
    url.username = 'writer';
    url.password = 'w';
    const writer = new pg.Pool({ connectionString: url.href });
    try {
      const store = await openPostgresStore(writer, { table: 'state', topic: 'topic' });
      const many = Array.from({ length: 1000 }, (_, n) => put(`k${n}`, n, '{}'));
      await store.applyBatch({ entries: many, positions: [at(1n)] });
      expect(await rows()).toHaveLength(1000);
    } finally {
      await writer.end();
      await pool.query('grant temporary on database stores to public');
    }
  });

  it.each([1, 700])(
    'writes state and positions together or not at all, and names the record that is no JSON (%i before it)',
    async (count) => {
      const store = await open();
      await store.applyBatch({ entries: [put('a', 1, '{}')], positions: [at(1n)] });
      const before = Array.from({ length: count }, (_, n) => put(`k${n}`, 1, '{}'));
      const bad = (value: string | Buffer) => ({
        ...put('bad', 1, ''),
        value: Buffer.from(value),
        partition: 3,
        offset: 41n,
      });
      for (const value of [
        'not json',
        '"\0"',
        '',
        Buffer.from([0x22, 0xff, 0x22]),
        `${'['.repeat(100_000)}`,
      ])
        await expect(
          store.applyBatch({
            entries: [...before, bad(value), put('c', 1, '{}')],
            positions: [at(3n)],
          }),
        ).rejects.toMatchObject({
          code: 'STATE_UNREADABLE',
          message: expect.stringContaining('topic/3 offset 41 is not JSON') as string,
        });
      expect((await rows()).map(([key]) => key)).toEqual(['a']);
      expect((await (await open()).positions()).partitions).toEqual(new Map([[0, at(1n)]]));
      // And goes on after it.
      await store.applyBatch({ entries: [put('b', 1, '{}')], positions: [at(3n)] });
      expect((await (await open()).positions()).partitions).toEqual(new Map([[0, at(3n)]]));
    },
  );

  it('leaves out the five bytes that name a schema', async () => {
    const store = await open();
    const value = Buffer.concat([schemaIdPrefix(9), Buffer.from('{"n": 1.50}')]);
    await store.applyBatch({ entries: [{ ...put('a', 1, ''), value }], positions: [at(1n)] });
    expect(await rows()).toEqual([['a', '1', '{"n": 1.50}']]);
  });

  it('remembers when it was current, which writing alone does not change', async () => {
    const store = await open();
    await store.clear(500);
    await store.confirm(1000);
    await store.applyBatch({ entries: [], positions: [at(1n)] });
    await store.applyBatch({ entries: [], positions: [at(1n, 1)] });
    expect((await (await open()).positions()).currentAtMs).toBe(1000);
    await store.confirm(5000);
    expect((await (await open()).positions()).currentAtMs).toBe(5000);
    await store.clear(7000);
    await store.applyBatch({ entries: [], positions: [at(1n)] });
    expect((await (await open()).positions()).currentAtMs).toBe(7000);
  });

  it('refuses a second writer', async () => {
    const first = await open();
    const second = await open();
    await first.positions();
    await second.positions();
    await first.applyBatch({ entries: [put('a', 1, '1')], positions: [at(2n), at(5n, 1)] });
    await expect(
      second.applyBatch({ entries: [put('a', 2, '2')], positions: [at(1n)] }),
    ).rejects.toThrow('somebody else writes to public.state');
    await second.positions();
    await second.applyBatch({ entries: [], positions: [at(3n)] });
    await expect(
      first.applyBatch({ entries: [put('a', 9, '9')], positions: [at(6n, 1), at(4n)] }),
    ).rejects.toThrow('its position of partition 0 is no longer ours (2, now 3)');
    expect(await rows()).toEqual([['a', '1', '1']]);
    expect((await second.positions()).partitions.get(1)).toEqual(at(5n, 1));
  });

  it('says that it went back when its database was restored from a backup, and goes on from that', async () => {
    const url = new URL(await postgres.createDatabase('production'));
    const [production, admin] = [url, postgres.url].map(
      (each) => new pg.Pool({ connectionString: String(each) }),
    );
    if (!production || !admin) throw new Error('two pools');
    for (const each of [production, admin]) each.on('error', () => undefined);
    const cut = () =>
      admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = 'production'`,
      );
    const store = await openPostgresStore(production, { table: 'state', topic: 'topic' });
    await store.clear(1000);
    await store.applyBatch({ entries: [put('a', 1, '1')], positions: [at(1n), at(3n, 1)] });
    await cut();
    await postgres.createDatabase('backup', 'production');
    await store.applyBatch({ entries: [put('b', 1, '1')], positions: [at(2n)] });
    await store.confirm(2000);
    await cut();
    await admin.query('drop database production with (force)');
    await postgres.createDatabase('production', 'backup');

    const back = {
      code: 'STORE_WENT_BACK',
      message: expect.stringContaining(
        'public.state is behind what was written into it (0: 1, we wrote 2)',
      ) as string,
    };
    // Also where only another partition is written, and where nothing is: else it would be called current.
    for (const positions of [[at(3n)], [at(4n, 1)], [at(1n, 2)], []])
      await expect(
        store.applyBatch({ entries: [put('c', 1, '1')], positions }),
      ).rejects.toMatchObject(back);
    await expect(store.confirm(3000)).rejects.toMatchObject(back);
    const found = await store.positions();
    expect([...found.partitions.values()]).toEqual([at(1n), at(3n, 1)]);
    expect(found.currentAtMs).toBe(1000);
    await store.applyBatch({ entries: [put('c', 1, '1')], positions: [at(2n)] });
    const { rows } = await production.query<{ key: string }>('select key from state order by 1');
    expect(rows.map(({ key }) => key)).toEqual(['a', 'c']);
    await Promise.all([production.end(), admin.end()]);
  });

  it('says that it went back when it was set back to before it was cleared, however far it was then', async () => {
    const store = await open();
    await store.applyBatch({ positions: [at(1000n), at(7n, 1)], entries: [put('old', 1, '1')] });
    await pool.query('create table a as table state; create table b as table state_position');
    const setBack = () =>
      pool.query(
        'truncate state, state_position; insert into state table a; insert into state_position table b',
      );
    const back = { code: 'STORE_WENT_BACK' };
    // Also where nothing was written after it.
    for (const steps of [1, 0]) {
      await store.clear(1000);
      for (let step = 1; step <= steps; step += 1)
        await store.applyBatch({ positions: [at(500n)], entries: [put('a', 1, '1')] });
      await setBack();
      await expect(
        store.applyBatch({ positions: [at(600n)], entries: [put('b', 1, '1')] }),
      ).rejects.toMatchObject(back);
      await expect(store.confirm(2000)).rejects.toMatchObject(back);
      expect([...(await store.positions()).partitions.values()]).toEqual([at(1000n), at(7n, 1)]);
      await store.applyBatch({ positions: [at(8n, 1)], entries: [] });
      await store.clear(3000);
      await store.applyBatch({ positions: [at(600n)], entries: [put('b', 1, '1')] });
      expect(await rows()).toEqual([['b', '1', '1']]);
    }
  });

  it('refuses a second writer that cleared it, also where that one is behind', async () => {
    const first = await open();
    await first.applyBatch({ positions: [at(1000n)], entries: [put('old', 1, '1')] });
    const second = await open();
    await second.positions();
    await second.clear(1000);
    await second.applyBatch({ positions: [at(500n)], entries: [put('a', 1, '1')] });
    for (const step of [
      () => first.applyBatch({ positions: [at(1001n)], entries: [put('b', 1, '1')] }),
      () => first.confirm(2000),
    ])
      await expect(step()).rejects.toThrow('somebody else writes to public.state');
    await second.applyBatch({ positions: [at(501n)], entries: [] });
    expect(await rows()).toEqual([['a', '1', '1']]);
  });

  it('goes on with tables of before it knew epochs', async () => {
    const first = await open();
    await first.applyBatch({ positions: [at(5n)], entries: [put('a', 1, '1')] });
    await pool.query('alter table state_position drop column epoch');
    for (let n = 6n; n < 9n; n += 1n) {
      const store = await open();
      await store.positions();
      await store.applyBatch({ positions: [at(n), at(n, Number(n))], entries: [] });
      await store.confirm(1000);
      // As the earlier release writes it, which is used again in between.
      await pool.query(`insert into state_position values ('topic', 1${n}, 1, 'm', now())`);
    }
  });

  it('refuses the state of another topic, and a name that is no table name', async () => {
    const store = await open();
    await store.applyBatch({ entries: [], positions: [at(1n)] });
    await expect(open('state', 'other')).rejects.toThrow('state holds the state of topic');
    expect(() => stateTableDdl('x; drop table y')).toThrow('no table name');
    await pool.query('create schema if not exists warehouse');
    await openPostgresStore(pool, { table: 'warehouse.order', topic: 'topic' });
    await pool.query('drop schema warehouse cascade');
  });

  it('clears state and positions', async () => {
    const store = await open();
    await store.applyBatch({ entries: [put('a', 1, '1')], positions: [at(1n)] });
    await store.clear(0);
    expect(await rows()).toEqual([]);
    expect((await store.positions()).partitions.size).toBe(0);
    await store.applyBatch({ entries: [put('a', 1, '1')], positions: [at(1n)] });
  });

  it('says of a connection that is cut between two statements that Postgres is away', async () => {
    const cut: StorePool = {
      query: pool.query.bind(pool),
      connect: async () => {
        const client = await pool.connect();
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
        const broken = new Promise((resolve) => client.once('error', resolve));
        await pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
        await broken;
        // What comes after it is of no interest: the pool lets the client go.
        client.on('error', () => undefined);
        return client;
      },
    };
    await expect(openPostgresStore(cut, { table: 'state', topic: 't' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('is not queryable') as string,
    });
  });

  it.each([1, 1000])(
    'says that the disk is full, counts nothing of the step, and goes on when there is room (%i entries)',
    async (count) => {
      const store = await open();
      await store.applyBatch({ entries: [put('a', 1, '1')], positions: [at(1n)] });
      await pool.query(`
        create function no_room() returns trigger language plpgsql as $$ begin
          raise exception 'could not extend file' using errcode = 'disk_full'; end $$;
        create trigger no_room before insert on state execute function no_room()`);
      const entries = Array.from({ length: count }, (_, n) => put(`k${n}`, 1, '1'));
      await expect(store.applyBatch({ entries, positions: [at(9n)] })).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message:
          'Postgres has no space left on its disk for state: make some, then start again; it goes on from where it was',
      });
      await pool.query('drop function no_room cascade');
      expect((await (await open()).positions()).partitions.get(0)).toEqual(at(1n));
      await store.applyBatch({ entries, positions: [at(9n)] });
      expect(await rows()).toHaveLength(count + 1);
    },
  );

  it('says of a server that is gone that Postgres does not answer, and blames nobody else', async () => {
    const store = await open();
    await pool.query(`alter table state rename column version to v`);
    await expect(
      store.applyBatch({ entries: [put('a', 1, '1')], positions: [at(1n)] }),
    ).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/^Postgres does not do what state needs \(42703: /) as string,
    });
    const nowhere = new pg.Pool({ connectionString: 'postgres://a:b@127.0.0.1:1/x' });
    await expect(openPostgresStore(nowhere, { table: 'state', topic: 't' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await nowhere.end();
    const closed = new pg.Pool({ connectionString: await postgres.createDatabase('closed') });
    await pool.query('alter database closed allow_connections false');
    await expect(openPostgresStore(closed, { table: 'state', topic: 't' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('55000') as string,
    });
    await closed.end();
    // As a replica that has not been made the primary yet.
    const reading = await openPostgresStore(pool, { table: 'reading', topic: 't' });
    await pool.query('alter database stores set default_transaction_read_only = on');
    const standby = new pg.Pool({ connectionString: String(pool.options.connectionString) });
    await expect(
      openPostgresStore(standby, { table: 'reading', topic: 't' }).then((store) =>
        store.applyBatch({ entries: [put('a', 1, '1')], positions: [at(1n)] }),
      ),
    ).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('takes no writes') as string,
    });
    await standby.end();
    await pool.query('alter database stores reset default_transaction_read_only');
    await reading.close();
  });
});
