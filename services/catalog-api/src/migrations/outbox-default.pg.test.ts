import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { HouseDatabase } from '../test-support/house-database.ts';
import { houseStep, keepHouse } from '../test-support/keep-house.ts';
import { migrateDatabase } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])('rows of the default partition on Postgres %i', (major) => {
  let server: PostgresServer;
  let db: HouseDatabase;
  let client: pg.Client;
  let other: pg.Client;
  let third: pg.Client;
  let count = 0;

  beforeAll(async () => {
    server = await startPostgres({ major });
    const databaseUrl = await server.createDatabase('migrated');
    const passwords = { outbound_operator: 'operator' };
    await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    db = await HouseDatabase.create(server, `default_${(count += 1)}`);
    ({ client, other, third } = db);
    return () => db[Symbol.asyncDispose]();
  });

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
  test('become a partition of their own, and the days after it have theirs again', async () => {
    await db.loseTheDays();
    await db.insert(3);
    expect(await keepHouse(client)).toEqual([
      bounded,
      'checked outbox_default',
      moved,
      ...Array<string>(5).fill(created),
    ]);
    expect(await places()).toEqual([{ name: movedName, rows: 3 }]);
    await db.insert(2);
    expect(await places()).toEqual([{ name: movedName, rows: 5 }]);
    expect(await keepHouse(client)).toEqual([]);
  });

  test('are read once, while writers go on, and never under a lock', async () => {
    await db.loseTheDays();
    await db.insert();
    expect(await houseStep(client)).toEqual([bounded]);
    // This writer holds what the reading of the rows must not need.
    await other.query('begin');
    await db.insert(1, other);
    expect(await houseStep(client)).toEqual(['checked outbox_default']);
    await db.insert(1, other);
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
    await db.loseTheDays();
    await client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
    // A transaction that the exchange falls into: it has written something before, and into the outbox after.
    await third.query("begin; insert into relay_slot values ('other', '1', now(), '0/1')");
    const ids = await db.insert(3);
    for (;;) {
      const lines = await houseStep(client);
      ids.push(...(await db.insert(2, other)));
      if (lines.length === 0) break;
    }
    ids.push(...(await db.insert(1, third)));
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
    for (const day of [-6, -3, -2, -1]) await db.addPartition(`outbox_day${-day}`, day);
    await db.insert(2, client, daysFromNow(-5));
    await db.insert(2, client, daysFromNow(-4));
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
    await db.loseTheDays();
    await db.addPartition('outbox_between', -6);
    await db.insert(1, client, daysFromNow(-8));
    await db.insert();
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
    await db.loseTheDays();
    await db.addPartition('outbox_today', 0);
    await db.insert(1, client, daysFromNow(-1));
    expect(await keepHouse(client)).toEqual([
      expect.stringMatching(
        /^kept outbox_default the partitions after its rows end at .+, too soon to refuse what comes then$/,
      ),
      wouldBeRead,
    ]);
    await db.insert(1, client, daysFromNow(2));
  });

  test('are refused by no bounds that a broken-off run left: they are taken off half a day before', async () => {
    await db.loseTheDays();
    await db.insert();
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
    if (hasRows) await db.insert(1, client, daysFromNow(-5));
    expect(await keepHouse(client)).toEqual([
      expect.stringMatching(/^unbounded outbox_default /),
      ...(hasRows ? [bounded, 'checked outbox_default', moved, sealed] : []),
    ]);
  });

  test('accept what comes within two days, whenever a run was broken off', async () => {
    await db.loseTheDays();
    await db.insert();
    for (let step = 0; step < 4; step += 1) {
      await db.insert(1, client, daysFromNow(2));
      await houseStep(client);
    }
    expect((await client.query('select from outbox')).rowCount).toBe(5);
  });

  test('of a day for which a partition would have been made are no reason to read them under a lock', async () => {
    await db.insert(1, client, daysFromNow(8));
    const done = await keepHouse(client, { daysAhead: 12 });
    expect(done).toEqual([bounded, 'checked outbox_default', moved, created, created]);
    expect(await keepHouse(client, { daysAhead: 12 })).toEqual([]);
  });

  test('keep their guards, and nothing remembers the bounds', async () => {
    await db.loseTheDays();
    await db.insert();
    await keepHouse(client);
    const { rows } = await client.query<{ name: string }>(
      "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'outbox'::regclass",
    );
    expect(rows).toHaveLength(7);
    for (const day of [3, 4, 5, 6, 7, 30]) await db.insert(1, client, daysFromNow(day));
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

  test('that a writer brings while a day is made stop the making of that day, and nothing else', async () => {
    await db.loseTheDays();
    await db.waitLong();
    await other.query('begin');
    const ids = await db.insert(1, other);
    const lines = houseStep(client);
    await eventually(async () => {
      const { rowCount } = await third.query(
        "select from pg_locks where relation = 'outbox_default'::regclass and not granted",
      );
      return rowCount;
    });
    await other.query('commit');
    expect(await lines).toEqual([
      expect.stringMatching(
        /^skipped outbox_\d{8} the default partition got rows of this day just now$/,
      ),
    ]);
    expect(await keepHouse(client)).toContainEqual(moved);
    expect(await places()).toEqual([{ name: movedName, rows: ids.length }]);
  });

  test('find a name of their own beside what somebody set aside', async () => {
    await db.loseTheDays();
    await db.insert();
    await keepHouse(client);
    const [first] = await places();
    await client.query(`alter table outbox detach partition ${first?.name}`);
    await db.insert();
    expect(await keepHouse(client)).toEqual([
      bounded,
      'checked outbox_default',
      expect.stringMatching(/^moved outbox_\d{8}_to_\d{8}_\d+ what was in the default partition$/),
    ]);
    const [second] = await places();
    // A name that is free, and names of indexes that are not.
    await client.query(
      `alter table outbox detach partition ${second?.name}; alter table ${first?.name} rename to aside`,
    );
    await db.insert();
    expect(await keepHouse(client)).toEqual([bounded, 'checked outbox_default', moved]);
    expect(await places()).toEqual([first]);
  });

  test('an operator gets all of it done by one call, which says what it did', async () => {
    await db.loseTheDays();
    await db.insert();
    const told: string[] = [];
    db.operator.on('notice', ({ message }) => told.push(message ?? ''));
    await db.operator.query('call outbox_keep_house()');
    expect(told).toEqual([
      bounded,
      'checked outbox_default',
      moved,
      ...Array<string>(5).fill(created),
    ]);
  });
});
