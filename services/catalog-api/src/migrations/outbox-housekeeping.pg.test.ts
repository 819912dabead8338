import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { keepHouse as keepHouseBy } from '../test-support/keep-house.ts';
import { migrateDatabase } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])('housekeeping of the outbox on Postgres %i', (major) => {
  let server: PostgresServer;
  let client: pg.Client;
  let other: pg.Client;
  let count = 0;

  beforeAll(async () => {
    server = await startPostgres({ major, settings: { max_prepared_transactions: '4' } });
    const template = await server.createDatabase('migrated');
    await migrateDatabase({ databaseUrl: template, directory: 'migrations' });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    const url = await server.createDatabase(`house_${(count += 1)}`, 'migrated');
    const connect = async () => {
      const connected = new pg.Client({ connectionString: url });
      await connected.connect();
      return connected;
    };
    client = await connect();
    other = await connect();
  });
  afterEach(async () => {
    await other.end();
    await client.query(
      'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
    );
    await client.end();
  });

  const keepHouse = (retention = '3 days', daysAhead = 7, grace = '0') =>
    keepHouseBy(client, { retention, daysAhead, grace });
  /** A partition as it would have been made then; `ends` from now, in SQL. */
  const addPartition = (name: string, begins: string, ends: string) =>
    client.query(`
      do $$ begin
        execute format('create table %I partition of outbox for values from (%L) to (%L)', '${name}', now() + interval '${begins}', now() + interval '${ends}');
      end $$`);
  const insert = (createdAt: string, by = client) =>
    by.query(`
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
      values (gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}', ${createdAt})`);
  const addSlot = (name: string) =>
    client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
  /** What a relay that is done with everything would have confirmed. */
  const confirmAll = (name: string) =>
    client.query('select pg_replication_slot_advance($1, pg_current_wal_lsn())', [name]);
  const partitions = async () =>
    (
      await client.query<{ partition_name: string }>(
        'select partition_name from outbox_partition order by lower_bound',
      )
    ).rows.map(({ partition_name }) => partition_name);

  test('the partitions of today and the next days are there, and a row of today is in its own', async () => {
    expect(await partitions()).toHaveLength(8);
    await insert('now()');
    const { rows } = await client.query<{ name: string; today: string }>(
      "select tableoid::regclass::text as name, to_char(now() at time zone 'utc', '\"outbox_\"YYYYMMDD') as today from outbox",
    );
    expect(rows[0]?.name).toBe(rows[0]?.today);
    expect(await keepHouse('3 days', 9)).toHaveLength(2);
    expect(await keepHouse('3 days', 9)).toEqual([]);
  });

  test('rows of a new partition are published under the name of the outbox', async () => {
    await addSlot('reader');
    expect(await keepHouse('3 days', 8)).toEqual([expect.stringMatching(/^created/)]);
    await insert("now() + interval '8 days'");
    const { rows } = await client.query<{ data: Buffer }>(
      "select data from pg_logical_slot_get_binary_changes('reader', null, null, 'proto_version', '1', 'publication_names', 'outbound')",
    );
    // pgoutput also introduces the partition, with a Relation message that no row refers to.
    const inserts = rows.filter(({ data }) => data[0] === 'I'.charCodeAt(0));
    const root = await client.query<{ oid: number }>("select 'outbox'::regclass::oid as oid");
    expect(inserts.map(({ data }) => data.readUInt32BE(1))).toEqual([root.rows[0]?.oid]);
  });

  test('an old partition that a slot has confirmed is sealed and dropped, with its rows', async () => {
    await addPartition('outbox_old', '-6 days', '-5 days');
    await insert("now() - interval '5 days 1 hour'");
    await addSlot('reader');
    await keepHouse('30 days');
    await confirmAll('reader');
    expect(await keepHouse()).toEqual(['dropped outbox_old']);
    expect(await partitions()).not.toContain('outbox_old');
    const { rows } = await client.query('select from outbox union all select from outbox_seal');
    expect(rows).toEqual([]);
  });

  test('a seal that was made while the clock was ahead is taken back: rows came behind it since', async () => {
    await addPartition('outbox_old', '-6 days', '-5 days');
    await addSlot('reader');
    await keepHouse('30 days');
    await confirmAll('reader');
    // As of a clock that was two days ahead when it was made.
    await client.query("update outbox_seal set sealed_at = now() + interval '2 days'");
    await insert("now() - interval '5 days 1 hour'");
    expect(await keepHouse()).toEqual([
      'sealed outbox_old',
      expect.stringMatching(/^kept outbox_old slot reader has confirmed .+, the partition needs/),
    ]);
    await confirmAll('reader');
    expect(await keepHouse()).toEqual(['dropped outbox_old']);
  });

  test('a partition within the retention stays', async () => {
    await addPartition('outbox_old', '-3 days', '-2 days');
    await addSlot('reader');
    expect(await keepHouse()).toEqual(['sealed outbox_old']);
    await confirmAll('reader');
    expect(await keepHouse()).toEqual([]);
    expect(await partitions()).toContain('outbox_old');
  });

  test('nothing is dropped while a slot has not confirmed it, however many others have', async () => {
    await addPartition('outbox_old', '-6 days', '-5 days');
    await addSlot('reader');
    await addSlot('laggard');
    // Else there would be nothing to confirm.
    await insert("now() - interval '5 days 1 hour'");
    await keepHouse('30 days');
    await confirmAll('reader');
    expect(await keepHouse()).toEqual([
      expect.stringMatching(/^kept outbox_old slot laggard has confirmed .+, the partition needs/),
    ]);
    await confirmAll('laggard');
    expect(await keepHouse()).toEqual(['dropped outbox_old']);
  });

  test('nothing is dropped without a slot, and a slot of another plugin or database is none', async () => {
    await addPartition('outbox_old', '-6 days', '-5 days');
    await client.query("select pg_create_physical_replication_slot('physical')");
    expect(await keepHouse()).toEqual([
      'sealed outbox_old',
      'kept outbox_old there is no slot, so nobody has confirmed anything',
    ]);
    await client.query("select pg_drop_replication_slot('physical')");
  });

  test('nothing is dropped while a slot that a relay recorded is gone, on whatever server it did', async () => {
    await addPartition('outbox_old', '-6 days', '-5 days');
    await addSlot('reader');
    await client.query(
      "insert into relay_slot select name, id, now(), '0/1' from (values ('lost', (select system_identifier::text from pg_control_system())), ('elsewhere', '1')) v (name, id)",
    );
    await keepHouse('30 days');
    await confirmAll('reader');
    expect(await keepHouse()).toEqual([
      'kept outbox_old slot lost is listed in relay_slot and is not there: recover it, or delete its row if no relay of this database reads by it',
    ]);
    await client.query("delete from relay_slot where slot_name = 'lost'");
    expect(await keepHouse()).toEqual([
      'kept outbox_old slot elsewhere is listed in relay_slot and is not there: recover it, or delete its row if no relay of this database reads by it',
    ]);
    await client.query("delete from relay_slot where slot_name = 'elsewhere'");
    expect(await keepHouse()).toEqual(['dropped outbox_old']);
  });

  /** In place of today's partition, one that ends `ends` from now and begins a day before, and one for the rest of the day. */
  const endTodayAt = (ends: string) =>
    client.query(`
      do $$ declare name text := to_char(now() at time zone 'utc', '"outbox_"YYYYMMDD'); ends timestamptz := now() + interval '${ends}'; begin
        execute format('drop table %I', name);
        execute format('create table %I partition of outbox for values from (%L) to (%L)', name, now() - interval '1 day', ends);
        execute format('create table outbox_rest partition of outbox for values from (%L) to (%L)', ends, date_trunc('day', now(), 'UTC') + interval '1 day');
      end $$`);
  const todayHasEnded = () =>
    eventually(async () => {
      const { rows } = await client.query<{ ended: boolean }>(
        'select min(upper_bound) < now() as ended from outbox_partition',
      );
      return rows[0]?.ended;
    });

  test('a partition is not sealed while a transaction that began before its end is open', async () => {
    await endTodayAt('1 second');
    await other.query('begin');
    await insert('now()', other);
    await todayHasEnded();
    expect(await keepHouse()).toEqual([
      expect.stringMatching(
        /^kept outbox_\d{8} not sealed: a transaction of process \d+ that began before its end is open$/,
      ),
    ]);
    await other.query('commit');
    expect(await keepHouse()).toEqual([expect.stringMatching(/^sealed outbox_\d{8}$/)]);
    // What was committed last lies before the position that was noted.
    const { rows } = await client.query(
      'select from outbox_seal where sealed_lsn <= pg_current_wal_insert_lsn()',
    );
    expect(rows).toHaveLength(1);
  });

  test('a partition is not sealed while a prepared transaction is open', async () => {
    await endTodayAt('1 second');
    await other.query('begin');
    await insert('now()', other);
    await other.query("prepare transaction 'kept'");
    await todayHasEnded();
    expect(await keepHouse()).toEqual([
      expect.stringMatching(/not sealed: a prepared transaction is open$/),
    ]);
    await other.query("commit prepared 'kept'");
    expect(await keepHouse()).toEqual([expect.stringMatching(/^sealed/)]);
  });

  test('a partition is not sealed within the grace after its end', async () => {
    await endTodayAt('-1 minute');
    expect(await keepHouse('3 days', 7, '5 minutes')).toEqual([]);
    expect(await keepHouse('3 days', 7, '30 seconds')).toEqual([expect.stringMatching(/^sealed/)]);
  });

  test('an owner who cannot see the transactions of others seals nothing', async () => {
    await client.query(`
      create role keeper;
      grant execute on function outbox_open_transaction to keeper;
      set role keeper`);
    const { rows } = await client.query('select outbox_open_transaction(now()) as fault');
    await client.query('reset role; drop owned by keeper; drop role keeper');
    expect(rows).toEqual([
      { fault: 'keeper cannot see other sessions; grant pg_read_all_stats to it' },
    ]);
  });

  test('nothing is dropped while a slot is lost: the rows are what its recovery publishes again', async () => {
    await addPartition('outbox_old', '-6 days', '-5 days');
    await addSlot('reader');
    await keepHouse('30 days');
    await confirmAll('reader');
    await client.query("alter system set max_slot_wal_keep_size = '1MB'");
    try {
      await client.query('select pg_reload_conf()');
      await eventually(async () => {
        await client.query("select pg_logical_emit_message(false, 'fill', repeat('x', 1000000))");
        await client.query('select pg_switch_wal()');
        await client.query('checkpoint');
        const { rows } = await client.query<{ wal_status: string }>(
          "select wal_status from pg_replication_slots where slot_name = 'reader'",
        );
        return rows[0]?.wal_status === 'lost';
      });
      expect(await keepHouse()).toEqual(['kept outbox_old slot reader is lost; recover it first']);
    } finally {
      await client.query('alter system reset max_slot_wal_keep_size');
      await client.query('select pg_reload_conf()');
    }
  });

  test('two runs at once: the second leaves it to the first', async () => {
    await other.query("begin; select pg_advisory_xact_lock(hashtext('outbox_housekeeping'))");
    expect(await keepHouse()).toEqual(['skipped another run is under way']);
    await other.query('rollback');
  });

  test.each([
    ['59 minutes', 7, '0'],
    ['3 days', -1, '0'],
    ['3 days', 367, '0'],
    ['3 days', 7, '-1 second'],
  ] satisfies [string, number, string][])(
    'retention %s, %i days ahead and grace %s are refused',
    async (...settings) => {
      await expect(keepHouse(...settings)).rejects.toMatchObject({ code: '22023' });
    },
  );
});
