import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { houseStep, keepHouse } from '../test-support/keep-house.ts';
import { migrateDatabase } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])('rows of the default partition on Postgres %i', (major) => {
  let server: PostgresServer;
  let client: pg.Client;
  let other: pg.Client;
  let third: pg.Client;
  let operator: pg.Client;
  let count = 0;

  beforeAll(async () => {
    server = await startPostgres({ major, settings: { max_prepared_transactions: '4' } });
    const databaseUrl = await server.createDatabase('migrated');
    const passwords = { outbound_operator: 'operator' };
    await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    const url = await server.createDatabase(`default_${(count += 1)}`, 'migrated');
    const connect = async (login = {}) => {
      const connected = new pg.Client(Object.assign(new URL(url), login).href);
      await connected.connect();
      return connected;
    };
    client = await connect();
    other = await connect();
    third = await connect();
    operator = await connect({ username: 'outbound_operator', password: 'operator' });
    return async () => {
      for (const each of [other, third, operator]) await each.end();
      await client.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
      );
      await client.end();
    };
  });

  /** As after days without a run: no partition covers today or a later day. */
  const loseTheDays = () =>
    client.query(`
      do $$ declare part record; begin
        for part in select partition_name from outbox_partition loop execute format('drop table %I', part.partition_name); end loop;
      end $$`);
  /** Gives the ids. */
  async function insert(rowCount = 1, by = client, createdAt = 'now()'): Promise<string[]> {
    const { rows } = await by.query<{ id: string }>(`
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
      select gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}', ${createdAt} from generate_series(1, ${rowCount}) returning id`);
    return rows.map(({ id }) => id);
  }
  /** A partition of one day; from now, in days. */
  const addPartition = (name: string, day: number) =>
    client.query(`
      do $$ declare day timestamptz := date_trunc('day', now(), 'UTC') + interval '${day} days'; begin
        execute format('create table %I partition of outbox for values from (%L) to (%L)', '${name}', day, day + interval '1 day');
      end $$`);
  const daysFromNow = (days: number) => `now() + interval '${days} days'`;
  const places = async () =>
    (
      await client.query<{ name: string; rows: number }>(
        'select tableoid::regclass::text as name, count(*)::int as rows from outbox group by 1 order by 1',
      )
    ).rows;
  const bounded = expect.stringMatching(
    /^bounded outbox_default to rows from .+ and before /,
  ) as string;
  const moved = expect.stringMatching(
    /^moved outbox_\d{8}_to_\d{8} what was in the default partition$/,
  ) as string;
  const created = expect.stringMatching(/^created outbox_\d{8}$/) as string;
  const sealed = expect.stringMatching(/^sealed outbox_\d{8}_to_\d{8}$/) as string;
  const movedName = expect.stringMatching(/^outbox_\d{8}_to_\d{8}$/) as string;
  const wouldBeRead = expect.stringMatching(
    /^skipped outbox_\d{8} Postgres would read all rows of the default partition under a lock$/,
  ) as string;
  /** Somebody whom it is in vain to wait for. */
  async function hold(by: pg.Client, statement: string): Promise<void> {
    await by.query(`begin; ${statement}`);
    await eventually(async () => {
      const { rows } = await by.query<{ isLong: boolean }>(
        `select clock_timestamp() - now() > interval '1100 ms' as "isLong"`,
      );
      return rows[0]?.isLong;
    });
  }
  /** Housekeeping that waited for a lock would wait for that long. */
  const waitLong = () =>
    client.query("alter function outbox_housekeeping set lock_timeout = '10 min'");

  test('become a partition of their own, and the days after it have theirs again', async () => {
    await loseTheDays();
    await insert(3);
    expect(await keepHouse(client)).toEqual([
      bounded,
      'checked outbox_default',
      moved,
      ...Array<string>(5).fill(created),
    ]);
    expect(await places()).toEqual([{ name: movedName, rows: 3 }]);
    await insert(2);
    expect(await places()).toEqual([{ name: movedName, rows: 5 }]);
    expect(await keepHouse(client)).toEqual([]);
  });

  test('are read once, while writers go on, and never under a lock', async () => {
    await loseTheDays();
    await insert();
    expect(await houseStep(client)).toEqual([bounded]);
    // This writer holds what the reading of the rows must not need.
    await other.query('begin');
    await insert(1, other);
    expect(await houseStep(client)).toEqual(['checked outbox_default']);
    await insert(1, other);
    await other.query('commit');
    const told: string[] = [];
    client.on('notice', ({ message }) => told.push(message ?? ''));
    await client.query('set client_min_messages = debug1');
    expect(await houseStep(client)).toEqual([moved]);
    await client.query('set client_min_messages = notice');
    const proofs = told.filter((line) => line.includes('partition constraint for table'));
    expect(proofs).toEqual([
      expect.stringMatching(
        /^partition constraint for table "outbox_\d{8}_to_\d{8}" is implied by existing constraints$/,
      ),
    ]);
    expect(await keepHouse(client)).toEqual(Array<string>(5).fill(created));
  });

  test('are published once, whatever was written before, between and after the steps', async () => {
    await loseTheDays();
    await client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
    // A transaction that the exchange falls into: it has written something before, and into the outbox after.
    await third.query("begin; insert into relay_slot values ('other', '1', now(), '0/1')");
    const ids = await insert(3);
    for (;;) {
      const lines = await houseStep(client);
      ids.push(...(await insert(2, other)));
      if (lines.length === 0) break;
    }
    ids.push(...(await insert(1, third)));
    await third.query('commit');
    const { rows } = await client.query<{ data: Buffer }>(
      "select data from pg_logical_slot_get_binary_changes('reader', null, null, 'proto_version', '1', 'publication_names', 'outbound')",
    );
    const inserts = rows.filter(({ data }) => data[0] === 'I'.charCodeAt(0));
    const root = await client.query<{ oid: number }>("select 'outbox'::regclass::oid as oid");
    expect(new Set(inserts.map(({ data }) => data.readUInt32BE(1)))).toEqual(
      new Set([root.rows[0]?.oid]),
    );
    // The relation, N, the number of columns; then the id: t, its length, its text.
    expect(inserts.map(({ data }) => data.toString('utf8', 13, 49))).toEqual(ids);
    expect((await client.query('select from outbox')).rowCount).toBe(ids.length);
  });

  test('of a past gap get the bounds of the gap, and go when they are old and confirmed', async () => {
    for (const day of [-6, -3, -2, -1]) await addPartition(`outbox_day${-day}`, day);
    await insert(2, client, daysFromNow(-5));
    await insert(2, client, daysFromNow(-4));
    await client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
    expect(await keepHouse(client, { retention: '30 days', daysAhead: 8 })).toEqual([
      ...[6, 3, 2, 1].map((day) => `sealed outbox_day${day}`),
      bounded,
      'checked outbox_default',
      moved,
      sealed,
      created,
    ]);
    expect(await places()).toEqual([{ name: movedName, rows: 4 }]);
    await client.query("select pg_replication_slot_advance('reader', pg_current_wal_lsn())");
    expect(await keepHouse(client, { daysAhead: 8 })).toEqual([
      'dropped outbox_day6',
      expect.stringMatching(/^dropped outbox_\d{8}_to_\d{8}$/),
    ]);
  });

  test('on both sides of a partition wait until that is dropped, and what can be dropped is', async () => {
    await loseTheDays();
    await addPartition('outbox_between', -6);
    await insert(1, client, daysFromNow(-8));
    await insert();
    await client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
    const inTheWay = [
      'kept outbox_default outbox_between lies between its rows; they become a partition when that one has been dropped',
      wouldBeRead,
    ];
    expect(await keepHouse(client, { retention: '30 days' })).toEqual([
      'sealed outbox_between',
      ...inTheWay,
    ]);
    await client.query("select pg_replication_slot_advance('reader', pg_current_wal_lsn())");
    expect(await keepHouse(client)).toEqual([
      'dropped outbox_between',
      bounded,
      'checked outbox_default',
      moved,
      ...Array<string>(5).fill(created),
    ]);
  });

  test('stay where they are while partitions behind them end soon: nothing may be refused when those have ended', async () => {
    await loseTheDays();
    await addPartition('outbox_today', 0);
    await insert(1, client, daysFromNow(-1));
    expect(await keepHouse(client)).toEqual([
      expect.stringMatching(
        /^kept outbox_default the partitions after its rows end at .+, too soon to refuse what comes then$/,
      ),
      wouldBeRead,
    ]);
    await insert(1, client, daysFromNow(2));
  });

  test('are refused by no bounds that a broken-off run left: they are taken off half a day before', async () => {
    await loseTheDays();
    await insert();
    await client.query(`
      do $$ begin execute format(
        'alter table outbox_default add constraint outbox_default_bound check (created_at >= %L and created_at < %L) not valid',
        '-infinity', now() + interval '11 hours'); end $$`);
    expect(await keepHouse(client)).toEqual([
      expect.stringMatching(/^unbounded outbox_default it would have refused rows from .+ on$/),
      bounded,
      'checked outbox_default',
      moved,
      ...Array<string>(5).fill(created),
    ]);
  });

  test.each([
    ['rows that are in it, and a partition that was made since', true],
    ['no rows in it', false],
  ])('have no bounds that do not fit any more: %s', async (_, hasRows) => {
    await client.query(`
      do $$ begin execute format(
        'alter table outbox_default add constraint outbox_default_bound check (created_at >= %L and created_at < %L)',
        '-infinity', now() + interval '5 days'); end $$`);
    if (hasRows) await insert(1, client, daysFromNow(-5));
    expect(await keepHouse(client)).toEqual([
      expect.stringMatching(/^unbounded outbox_default /),
      ...(hasRows ? [bounded, 'checked outbox_default', moved, sealed] : []),
    ]);
  });

  test('accept what comes within two days, whenever a run was broken off', async () => {
    await loseTheDays();
    await insert();
    for (let step = 0; step < 4; step += 1) {
      await insert(1, client, daysFromNow(2));
      await houseStep(client);
    }
    expect((await client.query('select from outbox')).rowCount).toBe(5);
  });

  test('of a day for which a partition would have been made are no reason to read them under a lock', async () => {
    await insert(1, client, daysFromNow(8));
    const done = await keepHouse(client, { daysAhead: 12 });
    expect(done).toEqual([bounded, 'checked outbox_default', moved, created, created]);
    expect(await keepHouse(client, { daysAhead: 12 })).toEqual([]);
  });

  test('keep their guards, and nothing remembers the bounds', async () => {
    await loseTheDays();
    await insert();
    await keepHouse(client);
    const { rows } = await client.query<{ name: string }>(
      "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'outbox'::regclass",
    );
    expect(rows).toHaveLength(7);
    for (const day of [3, 4, 5, 6, 7, 30]) await insert(1, client, daysFromNow(day));
    for (const { name } of rows)
      for (const statement of [`truncate ${name}`, `delete from ${name}`])
        await expect(client.query(statement), statement).rejects.toMatchObject({ code: '23001' });
    const { rowCount } = await client.query(
      "select from pg_constraint where conname = 'outbox_default_bound' union all select from outbox_default_bound",
    );
    expect(rowCount).toBe(0);
    const indexes = await client.query<{ name: string }>(
      "select indexrelid::regclass::text as name from pg_index where indrelid = 'outbox_default'::regclass order by 1",
    );
    expect(indexes.rows.map(({ name }) => name)).toEqual([
      'outbox_default_aggregateid_version_idx',
      'outbox_default_pkey',
    ]);
  });

  test('an operator gets all of it done by one call, which says what it did', async () => {
    await loseTheDays();
    await insert();
    const told: string[] = [];
    operator.on('notice', ({ message }) => told.push(message ?? ''));
    await operator.query('call outbox_keep_house()');
    expect(told).toEqual([
      bounded,
      'checked outbox_default',
      moved,
      ...Array<string>(5).fill(created),
    ]);
  });

  describe('nobody waits in vain, and so nobody waits behind housekeeping', () => {
    const inUse = expect.stringMatching(
      /^skipped outbox_\w+ process \d+ \(\) has outbox\w* in a transaction since .+; the next run tries again$/,
    ) as string;

    test.each([
      ['bounded', 0],
      ['moved', 2],
    ])('a reader of the outbox, before it is %s', async (_, steps) => {
      await loseTheDays();
      await insert();
      for (let step = 0; step < steps; step += 1) await houseStep(client);
      await waitLong();
      await hold(other, 'select from outbox');
      await third.query("set lock_timeout = '200ms'");
      const [lines] = await Promise.all([houseStep(client), insert(1, third)]);
      expect(lines).toEqual([inUse]);
      await other.query('commit');
      expect(await keepHouse(client)).toContainEqual(moved);
    });

    test('a reader of an old partition that would be dropped', async () => {
      await addPartition('outbox_old', -6);
      await client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
      await keepHouse(client, { retention: '30 days' });
      await client.query("select pg_replication_slot_advance('reader', pg_current_wal_lsn())");
      await waitLong();
      await hold(other, 'select from outbox_old');
      await third.query("set lock_timeout = '200ms'");
      const [lines] = await Promise.all([houseStep(client), insert(1, third)]);
      expect(lines).toEqual([inUse]);
      await other.query('commit');
      expect(await keepHouse(client)).toEqual(['dropped outbox_old']);
    });

    test('a reader of the default partition, and the days wait for him', async () => {
      await waitLong();
      await hold(other, 'select from outbox_default');
      expect(await houseStep(client, { daysAhead: 8 })).toEqual([inUse]);
      await other.query('commit');
      expect(await keepHouse(client, { daysAhead: 8 })).toEqual([created]);
    });

    test('a prepared transaction, which does not say when it began', async () => {
      await waitLong();
      await other.query("begin; select from outbox_default; prepare transaction 'kept'");
      expect(await houseStep(client, { daysAhead: 8 })).toEqual([
        expect.stringMatching(
          /^skipped outbox_default a prepared transaction has outbox_default; the next run tries again$/,
        ),
      ]);
      await other.query("rollback prepared 'kept'");
    });
  });

  test('a short writer is waited for until the time is over, and whoever queued behind it writes', async () => {
    await loseTheDays();
    await insert();
    await other.query('begin');
    await insert(1, other);
    const lines = houseStep(client);
    await insert(1, third);
    expect(await lines).toEqual([expect.stringMatching(/^skipped outbox_default /)]);
    await other.query('commit');
    expect(await keepHouse(client)).toContainEqual(moved);
  });
});
