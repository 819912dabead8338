import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { eventually } from '../../../../test/support/eventually.ts';
import type { SourceNotice } from './postgres-source.ts';
import { createOutboxDatabase, eid, type OutboxDatabase } from './test-support/outbox-database.ts';
import { RecordingReader } from './test-support/recording-reader.ts';

describe.each([18, 15] as const)('opening a source on Postgres %i', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({
      major,
      settings: { wal_sender_timeout: '3s', max_prepared_transactions: '2' },
    });
  });
  afterAll(async () => server.close());

  async function openOnce(db: OutboxDatabase): Promise<void> {
    await (await db.source().open(new RecordingReader())).close();
  }

  it.each([
    [
      'a missing outbox',
      'drop table outbox',
      'SOURCE_OUTBOX_MISSING',
      '"public"."outbox" does not exist',
    ],
    [
      'a missing column',
      'alter table outbox drop column data_op',
      'SOURCE_OUTBOX_MISSING',
      'no column data_op',
    ],
    [
      'a jsonb payload',
      'alter table outbox alter column payload type jsonb',
      'SOURCE_OUTBOX_MISSING',
      'payload is of type OID 3802',
    ],
    [
      'an unlogged outbox',
      'drop publication outbound; alter table outbox set unlogged',
      'SOURCE_OUTBOX_MISSING',
      'unlogged',
    ],
    [
      'a missing table of slots',
      'drop table relay_slot',
      'SOURCE_OUTBOX_MISSING',
      'relay_slot does not exist',
    ],
    [
      'a missing publication',
      'drop publication outbound',
      'SOURCE_PUBLICATION_MISSING',
      'publication "outbound" does not exist',
    ],
    [
      'a publication of another table',
      'drop publication outbound; create publication outbound for table other',
      'SOURCE_PUBLICATION_WRONG',
      'does not publish "public"."outbox"',
    ],
    [
      'a publication without inserts',
      "alter publication outbound set (publish = 'update, delete')",
      'SOURCE_PUBLICATION_WRONG',
      'does not publish inserts',
    ],
    [
      'a row filter',
      "alter publication outbound set table outbox where (type = 'x')",
      'SOURCE_PUBLICATION_WRONG',
      'row filter',
    ],
    [
      'a column list that leaves the payload out',
      'alter publication outbound set table outbox (id, type)',
      'SOURCE_PUBLICATION_WRONG',
      'payload',
    ],
  ])('refuses %s before it makes a slot', async (_, sql, code, words) => {
    await using db = await createOutboxDatabase(server);
    await db.admin.query(sql);
    const error = await db
      .source()
      .open(new RecordingReader())
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).toContain(words);
    expect(await db.confirmedFlushLsn()).toBeUndefined();
  });

  it('takes a publication of all tables, of a schema, and one that leaves out a column of no use', async () => {
    for (const sql of [
      'create publication outbound for all tables',
      'create publication outbound for tables in schema public',
      'alter table outbox add column note text; create publication outbound for table outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers, created_at)',
    ]) {
      await using db = await createOutboxDatabase(server);
      await db.admin.query(`drop publication outbound; ${sql}`);
      const reader = new RecordingReader();
      const stream = await db.source().open(reader);
      await db.insert(eid(1));
      expect(await reader.untilIds(1)).toEqual([eid(1)]);
      await stream.close();
    }
  });

  it('refuses a partitioned outbox with an unlogged partition', async () => {
    await using db = await createOutboxDatabase(server, { isPartitioned: true });
    await db.admin.query(
      'drop table outbox_default; create unlogged table outbox_u partition of outbox default',
    );
    await expect(db.source().open(new RecordingReader())).rejects.toMatchObject({
      code: 'SOURCE_OUTBOX_MISSING',
    });
  });

  it('makes a slot on the first start only, and calls a dropped one a data gap', async () => {
    await using db = await createOutboxDatabase(server);
    const notices: SourceNotice[] = [];
    const source = db.source({ onNotice: (notice) => notices.push(notice) });
    await (await source.open(new RecordingReader())).close();
    expect(notices).toEqual([{ kind: 'slot-created', slot: db.slot }]);
    const { rows } = await db.admin.query(
      `select s.plugin, s.two_phase, s.temporary, r.slot_name, r.system_identifier = (select system_identifier::text from pg_control_system()) as same
       from pg_replication_slots s join relay_slot r on r.slot_name = s.slot_name where s.slot_name = $1`,
      [db.slot],
    );
    expect(rows).toEqual([
      { plugin: 'pgoutput', two_phase: false, temporary: false, slot_name: db.slot, same: true },
    ]);
    await db.admin.query('select pg_drop_replication_slot($1)', [db.slot]);
    await expect(source.open(new RecordingReader())).rejects.toMatchObject({
      code: 'SOURCE_SLOT_MISSING',
    });
    expect(await db.confirmedFlushLsn()).toBeUndefined();
  });

  it('makes a slot that follows a failover where the server has such, and refuses where it has not', async () => {
    await using db = await createOutboxDatabase(server);
    const opening = db.source({ failover: true }).open(new RecordingReader());
    if (major < 17) {
      await expect(opening).rejects.toMatchObject({ code: 'SOURCE_UNSUPPORTED' });
      return;
    }
    await (await opening).close();
    const { rows } = await db.admin.query(
      'select failover from pg_replication_slots where slot_name = $1',
      [db.slot],
    );
    expect(rows).toEqual([{ failover: true }]);
  });

  it('adopts a slot that was made before it came, and records it', async () => {
    await using db = await createOutboxDatabase(server);
    await db.admin.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [db.slot]);
    await db.insert(eid(1));
    const reader = new RecordingReader();
    const notices: SourceNotice[] = [];
    const stream = await db.source({ onNotice: (notice) => notices.push(notice) }).open(reader);
    expect(await reader.untilIds(1)).toEqual([eid(1)]);
    expect(notices).toEqual([{ kind: 'slot-adopted', slot: db.slot }]);
    await stream.close();
  });

  it.each([
    [
      'another plugin',
      "select pg_create_logical_replication_slot($1, 'test_decoding')",
      'test_decoding',
    ],
    ['a physical slot', 'select pg_create_physical_replication_slot($1)', 'physical'],
    [
      'a two-phase slot',
      "select pg_create_logical_replication_slot($1, 'pgoutput', false, true)",
      'two_phase',
    ],
    [
      'a temporary slot',
      "select pg_create_logical_replication_slot($1, 'pgoutput', true)",
      'temporary',
    ],
  ])('refuses %s', async (_, sql, words) => {
    await using db = await createOutboxDatabase(server);
    await db.admin.query(sql, [db.slot]);
    const error = await db
      .source()
      .open(new RecordingReader())
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOURCE_SLOT_MISMATCH' });
    expect(String(error)).toContain(words);
  });

  it('refuses the slot of another database', async () => {
    await using db = await createOutboxDatabase(server);
    await using other = await createOutboxDatabase(server);
    await other.admin.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [db.slot]);
    await expect(db.source().open(new RecordingReader())).rejects.toMatchObject({
      code: 'SOURCE_SLOT_MISMATCH',
    });
  });

  it('says which transaction the creation of a slot waits for, and since when', async () => {
    await using db = await createOutboxDatabase(server);
    const holder = await db.client();
    await holder.query('begin');
    await holder.query('insert into other values (1)');
    const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid');
    const notices: SourceNotice[] = [];
    const opening = db
      .source({ onNotice: (notice) => notices.push(notice) })
      .open(new RecordingReader());
    await eventually(() => notices.length > 0);
    expect(notices).toMatchObject([
      { kind: 'slot-creation-waits', blocker: { pid: rows[0]?.pid } },
    ]);
    await holder.query('commit');
    await (await opening).close();
    expect(notices.at(-1)).toEqual({ kind: 'slot-created', slot: db.slot });
  });

  it('names a prepared transaction that the creation of a slot waits for', async () => {
    await using db = await createOutboxDatabase(server);
    await db.admin.query(
      `begin; insert into other values (1); prepare transaction 'held_${db.slot}'`,
    );
    const notices: SourceNotice[] = [];
    const opening = db
      .source({ onNotice: (notice) => notices.push(notice) })
      .open(new RecordingReader());
    await eventually(() => notices.length > 0);
    expect(notices).toMatchObject([{ blocker: { preparedGid: `held_${db.slot}` } }]);
    await db.admin.query(`commit prepared 'held_${db.slot}'`);
    await (await opening).close();
  });

  // Trap 1.3.
  it('tells a second relay that the slot is busy, and who holds it', async () => {
    await using db = await createOutboxDatabase(server);
    const stream = await db.source().open(new RecordingReader());
    const error = await db
      .source()
      .open(new RecordingReader())
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOURCE_SLOT_BUSY' });
    expect(String(error)).toMatch(/server process \d+/);
    await stream.close();
    await openOnce(db);
  });

  it.each([
    ['a wrong password', (url: URL) => (url.password = 'wrong'), 'SOURCE_AUTH_FAILED'],
    ['an unknown role', (url: URL) => (url.username = 'nobody_here'), 'SOURCE_AUTH_FAILED'],
    ['an unknown database', (url: URL) => (url.pathname = '/nowhere'), 'CONFIG_INVALID'],
    ['a port where nobody listens', (url: URL) => (url.port = '1'), 'SOURCE_CONNECTION_LOST'],
    [
      'TLS where the server has none',
      (url: URL) => url.searchParams.set('sslmode', 'verify-full'),
      'SOURCE_AUTH_FAILED',
    ],
  ])('tells %s apart, and never repeats the password', async (_, change, code) => {
    await using db = await createOutboxDatabase(server);
    const url = new URL(db.relayUrl);
    change(url);
    const error = await db
      .source({ databaseUrl: url.href })
      .open(new RecordingReader())
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain('relay-secret');
  });

  it('refuses a role without REPLICATION by name', async () => {
    await using db = await createOutboxDatabase(server);
    const role = new URL(db.relayUrl).username;
    await db.admin.query(`alter role ${role} noreplication`);
    const error = await db
      .source()
      .open(new RecordingReader())
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOURCE_AUTH_FAILED' });
    expect(String(error)).toContain(role);
  });

  it('reads the health of the slot, its own and another relay’s, and knows nothing of one that is not there', async () => {
    await using db = await createOutboxDatabase(server);
    const source = db.source();
    expect(await source.slotHealth()).toBeUndefined();
    const stream = await source.open(new RecordingReader());
    await db.insert(eid(1));
    await eventually(async () => ((await source.slotHealth())?.lagBytes ?? 0) > 0);
    const health = await db.source().slotHealth();
    expect(health).toMatchObject({ walStatus: 'reserved', isActive: true, safeBytes: undefined });
    expect(health?.retainedBytes).toBeGreaterThan(0);
    await stream.close();
    expect(await source.slotHealth()).toMatchObject({ isActive: false });
  });
});

// Trap 1.3: a slot that Postgres gave up.
describe.each([18, 15] as const)('a slot that Postgres %i gave up', (major) => {
  it('is a data gap', async () => {
    await using server = await startPostgres({
      major,
      settings: { max_slot_wal_keep_size: '1MB', max_wal_size: '32MB', min_wal_size: '32MB' },
    });
    await using db = await createOutboxDatabase(server);
    await (await db.source().open(new RecordingReader())).close();
    for (let round = 0; round < 4; round += 1)
      await db.admin.query('insert into other values (1); select pg_switch_wal()');
    await db.admin.query('checkpoint');
    await expect(db.source().open(new RecordingReader())).rejects.toMatchObject({
      code: 'SOURCE_SLOT_INVALIDATED',
    });
  });
});

describe.each([18, 15] as const)('a Postgres %i that is set up otherwise', (major) => {
  it('is refused for its wal_level', async () => {
    await using server = await startPostgres({ major, settings: { wal_level: 'replica' } });
    await using db = await createOutboxDatabase(server);
    await expect(db.source().open(new RecordingReader())).rejects.toMatchObject({
      code: 'SOURCE_WAL_LEVEL',
    });
  });
});
