import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { keepHouse as keepHouseBy } from '../test-support/keep-house.ts';
import { migrateDatabase } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])('the guards of the outbox on Postgres %i', (major) => {
  let server: PostgresServer;
  let client: pg.Client;
  let other: pg.Client;
  let third: pg.Client;
  let count = 0;

  beforeAll(async () => {
    server = await startPostgres({ major });
    const template = await server.createDatabase('migrated');
    await migrateDatabase({ databaseUrl: template, directory: 'migrations' });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    const url = await server.createDatabase(`guards_${(count += 1)}`, 'migrated');
    const connect = async () => {
      const connected = new pg.Client({ connectionString: url });
      await connected.connect();
      return connected;
    };
    client = await connect();
    other = await connect();
    third = await connect();
    return async () => {
      await other.end();
      await third.end();
      await client.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
      );
      await client.end();
    };
  });

  const keepHouse = (retention = '3 days', daysAhead = 7) =>
    keepHouseBy(client, { retention, daysAhead });
  /** A partition of a day, `daysAgo` before now, as it would have been made then. */
  const addPartition = (name: string, daysAgo: number) =>
    client.query(`
      do $$ begin
        execute format('create table %I partition of outbox for values from (%L) to (%L)', '${name}', now() - interval '${daysAgo} days', now() - interval '${daysAgo - 1} days');
      end $$`);
  /** A slot that has confirmed everything, the sealing of what is old included. */
  async function sealAndConfirm(): Promise<void> {
    await client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
    await keepHouse('30 days');
    await client.query("select pg_replication_slot_advance('reader', pg_current_wal_lsn())");
  }
  /** How many wait for a lock on a table. */
  const waiting = async (table: string) =>
    (
      await third.query('select from pg_locks where relation = $1::regclass and not granted', [
        table,
      ])
    ).rowCount ?? 0;
  const isWaiting = (table: string) => eventually(() => waiting(table));

  test('no partition can be changed or emptied past the outbox, the default one and new ones neither', async () => {
    await keepHouse('3 days', 8);
    const { rows } = await client.query<{ name: string }>(
      "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'outbox'::regclass",
    );
    expect(rows).toHaveLength(10);
    await client.query(`
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
      select gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}', now() + make_interval(days => day) from generate_series(0, 9) day`);
    for (const { name } of rows)
      for (const statement of [
        `truncate ${name}`,
        `delete from ${name}`,
        `update ${name} set type = 'x'`,
      ])
        await expect(client.query(statement), statement).rejects.toMatchObject({ code: '23001' });
  });

  test('a session that hides what it does counts as an open transaction', async () => {
    await addPartition('outbox_old', 6);
    await other.query('set track_activities = off');
    await other.query('begin');
    await other.query('select 1');
    expect(await keepHouse()).toEqual([
      expect.stringMatching(
        /^kept outbox_old not sealed: process \d+ has track_activities off, so its transaction cannot be seen$/,
      ),
    ]);
    await other.query('commit');
    await other.query('set track_activities = on');
    await other.query('select 1');
    expect(await keepHouse()).toContain('sealed outbox_old');
  });

  test('of many runs at once each thing is done by one, and the others leave it to that one or find it done', async () => {
    await addPartition('outbox_old', 6);
    await sealAndConfirm();
    const run = (by: pg.Client) => keepHouseBy(by, { daysAhead: 12 });
    const lines = (await Promise.all([client, other, third].map(run))).flat();
    const done = lines.filter((line) => !line.startsWith('skipped'));
    expect(done).toHaveLength(6);
    expect(new Set(done).size).toBe(6);
    expect(done).toContain('dropped outbox_old');
    expect(await run(client)).toEqual([]);
  });

  test('a day whose partition was made by somebody else is not made twice, and the other days are', async () => {
    await client.query(`
      do $$ declare day timestamptz := date_trunc('day', now(), 'UTC') + interval '8 days'; begin
        execute format('create table %I partition of outbox for values from (%L) to (%L)',
          to_char(day at time zone 'utc', '"outbox_"YYYYMMDD'), day, day + interval '1 day');
      end $$`);
    expect(await keepHouse('3 days', 9)).toEqual([expect.stringMatching(/^created outbox_\d{8}$/)]);
  });

  test('a partition of another name does not stop the making of the others', async () => {
    await client.query(`
      do $$ declare day timestamptz := date_trunc('day', now(), 'UTC') + interval '8 days'; begin
        execute format('create table by_hand partition of outbox for values from (%L) to (%L)', day, day + interval '36 hours');
      end $$`);
    expect(await keepHouse('3 days', 10)).toEqual([
      expect.stringMatching(/^created outbox_\d{8}$/),
      expect.stringMatching(/^skipped outbox_\d{8} another partition covers a part of this day$/),
    ]);
  });

  test('who reads the outbox while partitions come and go is not ended by a deadlock', async () => {
    await addPartition('outbox_old', 6);
    await sealAndConfirm();
    await addPartition('outbox_newer', 2);
    await client.query("alter function outbox_housekeeping set lock_timeout = '30s'");
    // Holds housekeeping where it seals.
    await third.query('begin; lock table outbox_seal in share mode');
    const house = keepHouse('3 days', 8);
    house.catch(() => undefined);
    await isWaiting('outbox_seal');
    let hasRead = false;
    const reader = other.query('select count(*) from outbox').then(() => (hasRead = true));
    reader.catch(() => undefined);
    await eventually(async () => hasRead || (await waiting('outbox_default')) > 0);
    await third.query('commit');
    await reader;
    expect(await house).toEqual([
      'sealed outbox_newer',
      expect.stringMatching(/^created outbox_\d{8}$/),
      'dropped outbox_old',
    ]);
  });
});
