import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keepHouse } from '../test-support/keep-house.ts';
import { migrateDatabase } from './migrate-database.ts';

const run = promisify(execFile);
/** Of the same package as the server, which a dump has to be read with. */
const bin = '/usr/lib/postgresql/15/bin';

/** Seals note positions of the log that they were made in; a dump takes them into another one. */
describe('seals of the outbox after a restore', () => {
  let short: PostgresServer;
  let long: PostgresServer;
  let folder: string;
  let count = 0;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'seals-'));
    [short, long] = await Promise.all([startPostgres({ major: 15 }), startPostgres({ major: 15 })]);
    // Roles are in no dump.
    const roles = await long.createDatabase('roles');
    await migrateDatabase({ databaseUrl: roles, directory: 'migrations' });
    const client = await connected(long.url);
    for (let segment = 0; segment < 4; segment += 1)
      await client.query(
        "select pg_logical_emit_message(true, 'fill', 'x') union all select pg_switch_wal()",
      );
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
    await Promise.all([short?.close(), long?.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  async function connected(connectionString: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  }
  const addSlot = (client: pg.Client) =>
    client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
  const confirmAll = (client: pg.Client) =>
    client.query("select pg_replication_slot_advance('reader', pg_current_wal_flush_lsn())");
  const dropSlot = (client: pg.Client) => client.query("select pg_drop_replication_slot('reader')");
  const rowsOfOld = async (client: pg.Client) =>
    (await client.query<{ rows: string }>('select count(*) as rows from outbox_old')).rows[0]?.rows;

  /** A database with a sealed partition of days ago, and a row in it. */
  async function sealed(server: PostgresServer): Promise<string> {
    const url = await server.createDatabase(`origin_${(count += 1)}`);
    await migrateDatabase({ databaseUrl: url, directory: 'migrations' });
    const client = await connected(url);
    await client.query(`
      do $$ begin
        execute format('create table outbox_old partition of outbox for values from (%L) to (%L)', now() - interval '6 days', now() - interval '5 days');
      end $$;
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
      values (gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}', now() - interval '5 days 1 hour')`);
    expect(await keepHouse(client)).toEqual([
      'sealed outbox_old',
      expect.stringMatching(/^kept outbox_old there is no slot/),
    ]);
    return url;
  }

  async function restored(origin: string, into: string): Promise<void> {
    const file = join(folder, `${(count += 1)}.dump`);
    await run(`${bin}/pg_dump`, ['--format=custom', '--file', file, '--dbname', origin]);
    await run(`${bin}/pg_restore`, ['--exit-on-error', '--no-owner', '--dbname', into, file]);
  }

  test.each(['another server', 'the same server'])(
    'of a dump that was restored on %s they vouch for nothing: its rows stand behind them in the log',
    async (where) => {
      const target = where === 'another server' ? long : short;
      const origin = await sealed(short);
      const url = await target.createDatabase(`restored_${(count += 1)}`);
      const client = await connected(url);
      // The slot is there before the rows are, so it is still to read them.
      await addSlot(client);
      try {
        await restored(origin, url);
        expect(await keepHouse(client)).toEqual([
          'sealed outbox_old',
          expect.stringMatching(/^kept outbox_old slot reader has confirmed/),
        ]);
        expect(await rowsOfOld(client)).toBe('1');
        await confirmAll(client);
        expect(await keepHouse(client)).toEqual(['dropped outbox_old']);
      } finally {
        await dropSlot(client);
      }
    },
  );

  test('of a longer log they keep nothing for ever: the partition is dropped when it was confirmed here', async () => {
    const origin = await sealed(long);
    const url = await short.createDatabase(`restored_${(count += 1)}`);
    await restored(origin, url);
    const client = await connected(url);
    await addSlot(client);
    try {
      await keepHouse(client);
      await confirmAll(client);
      expect(await keepHouse(client)).toEqual(['dropped outbox_old']);
    } finally {
      await dropSlot(client);
    }
  });

  test('a partition that was made again under its name is not the one that was sealed', async () => {
    const client = await connected(await sealed(short));
    await addSlot(client);
    try {
      await client.query(`
        do $$ declare bounds record; begin
          select lower_bound, upper_bound into bounds from outbox_partition where partition_name = 'outbox_old';
          drop table outbox_old;
          execute format('create table outbox_old partition of outbox for values from (%L) to (%L)', bounds.lower_bound, bounds.upper_bound);
        end $$;
        insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
        values (gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}', now() - interval '5 days 1 hour')`);
      expect(await keepHouse(client)).toEqual([
        'sealed outbox_old',
        expect.stringMatching(/^kept outbox_old slot reader has confirmed/),
      ]);
    } finally {
      await dropSlot(client);
    }
  });

  test(
    'of a copy of the data directory, cut off in the midst, none is ahead of the log',
    { timeout: 300_000 },
    async () => {
      const url = await sealed(short);
      const client = await connected(url);
      await addSlot(client);
      await confirmAll(client);
      const { live, saved } = { live: short.dataDir, saved: `${short.dataDir}-saved` };
      try {
        // What was sealed last is hardly on the disk when the power goes.
        await client.query('delete from outbox_seal');
        await client.query("set synchronous_commit = off; select outbox_housekeeping('30 days')");
        await short.kill();
        await run('cp', ['-a', live, saved]);
        // Goes on, seals, and is brought back.
        await short.start();
        await keepHouse(await connected(url), { retention: '30 days' });
        await short.kill();
        await rm(live, { recursive: true });
        await run('cp', ['-a', saved, live]);
        await short.start();
        const back = await connected(url);
        const ahead = await back.query(
          'select from outbox_seal where sealed_lsn > pg_current_wal_insert_lsn()',
        );
        expect(ahead.rowCount).toBe(0);
        await dropSlot(back);
      } finally {
        await rm(saved, { recursive: true, force: true });
      }
    },
  );
});
