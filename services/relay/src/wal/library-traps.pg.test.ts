import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { eventually } from '../../../../test/support/eventually.ts';
import { lsnFromText } from './lsn.ts';
import { ReplicationLink } from './replication-link.ts';
import {
  createOutboxDatabase,
  eid,
  insertSql,
  type OutboxDatabase,
} from './test-support/outbox-database.ts';
import { RecordingReader } from './test-support/recording-reader.ts';

/**
 * Each test stands for a measured trap of pg-logical-replication 2.5.0; the number is the one in the reliability notes, section 2.
 * `wal_sender_timeout` is 2 s, so that a stream that does not answer dies within the test.
 */
describe.each([18, 15] as const)('over the library, on Postgres %i', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major, settings: { wal_sender_timeout: '2s' } });
  });
  afterAll(async () => server.close());
  afterEach(() => vi.restoreAllMocks());

  interface SenderRow {
    age_s: number;
    reply_skew_s: number;
    write_lsn: string | null;
  }
  async function sender(db: OutboxDatabase): Promise<SenderRow | undefined> {
    const { rows } = await db.admin.query<SenderRow>(
      `select extract(epoch from clock_timestamp() - r.backend_start)::float8 as age_s, write_lsn::text,
         extract(epoch from clock_timestamp() - reply_time)::float8 as reply_skew_s
       from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid where s.slot_name = $1`,
      [db.slot],
    );
    return rows[0];
  }
  /** Longer than the server's timeout, and than the library's own timer would take to do harm. */
  async function outlivesTheTimeout(db: OutboxDatabase): Promise<void> {
    await eventually(async () => ((await sender(db))?.age_s ?? 0) > 4, { timeoutMs: 10_000 });
  }

  // Traps 1, 2, 7 and 8.
  it('confirms nothing that was not reported, and stays connected, while the reader holds what it was given', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    const before = await db.confirmedFlushLsn();
    await db.insert(eid(1));
    await reader.untilIds(1);
    await outlivesTheTimeout(db);
    expect(reader.closings).toEqual([]);
    expect(await db.confirmedFlushLsn()).toBe(before);
    await stream.close();
    expect(await db.confirmedFlushLsn()).toBe(before);
  });

  // Traps 3 and 10.
  it('ends at the message that the reader failed at, once, passes nothing after it on, and gives it again', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    reader.throwsAtId = eid(2);
    const source = db.source();
    const stream = await source.open(reader);
    // One transaction, so that the row after the failure is in the same read of the socket.
    await db.insert(eid(1), eid(2), eid(3));
    await reader.until(() => reader.closings.length > 0);
    await stream.close();
    expect(reader.ids).toEqual([eid(1)]);
    expect(reader.closings.map((error) => error.code)).toEqual(['INVARIANT_BROKEN']);

    const next = new RecordingReader();
    const again = await reopened(() => source.open(next));
    expect(await next.untilIds(3)).toEqual([eid(1), eid(2), eid(3)]);
    await again.close();
  });

  // Traps 4, 5, 16 and 17.
  it('starts again at what was acknowledged after its connection was killed, with one signal for one fault', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const source = db.source();
    const stream = await source.open(reader);
    for (const id of [1, 2, 3]) await db.insert(eid(id));
    await reader.untilIds(3);
    await db.admin.query(
      'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
      [db.slot],
    );
    await reader.until(() => reader.closings.length > 0);
    await stream.close();
    expect(reader.closings.map((error) => error.code)).toEqual(['SOURCE_CONNECTION_LOST']);

    const next = new RecordingReader();
    const again = await reopened(() => source.open(next));
    expect(await next.untilIds(3)).toEqual([eid(1), eid(2), eid(3)]);
    await again.close();
  });

  // Trap 6.
  it('acknowledges the exact end, so that a commit that begins there is not skipped', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    await db.insert(eid(1));
    await reader.untilIds(1);
    const ackLsn = reader.transactions[0]?.commitEndLsn;
    if (ackLsn === undefined) throw new Error('no commit was read');
    stream.report({ ackLsn, idle: false });
    const confirmed = await eventually(async () => {
      const lsn = lsnFromText((await db.confirmedFlushLsn()) ?? '0/0');
      return lsn >= ackLsn ? lsn : undefined;
    });
    expect(confirmed).toBe(ackLsn);
    await stream.close();
  });

  // Trap 7: relation messages carry position 0/0.
  it('never tells the server a lower position than before', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source({ statusIntervalMs: 100 }).open(reader);
    let last = 0n;
    for (let id = 1; id <= 5; id += 1) {
      // So that a relation message comes before the row.
      await db.admin.query(`alter table outbox alter column type set default 'd${id}'`);
      await db.insert(eid(id));
      await reader.untilIds(id);
      const endLsn = reader.transactions.at(-1)?.commitEndLsn ?? 0n;
      await eventually(async () => {
        // NULL is how the view prints 0/0.
        const lsn = lsnFromText((await sender(db))?.write_lsn ?? '0/0');
        if (lsn < last) throw new Error(`write went from ${last} back to ${lsn}`);
        last = lsn;
        return lsn >= endLsn;
      });
    }
    await stream.close();
  });

  // Trap 9.
  it('reads no more than one piece of the socket after a pause, however much waits, and all of it after', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    stream.pause();
    await db.admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
       select gen_random_uuid(), 't', 'a', 'e', 1, 'C', json_build_object('x', repeat('x', 10000)) from generate_series(1, 2000)`,
    );
    await outlivesTheTimeout(db);
    expect(reader.closings).toEqual([]);
    expect(reader.byteCount).toBeLessThan(256 * 1024);
    stream.resume();
    await reader.untilIds(2000);
    expect(reader.byteCount).toBeGreaterThan(20_000_000);
    await stream.close();
  });

  // Trap 11.
  it('goes on answering when the wall clock jumps back an hour, and dates its answers rightly before', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source({ statusIntervalMs: 200 }).open(reader);
    const first = await eventually(async () => sender(db));
    expect(Math.abs(first.reply_skew_s)).toBeLessThan(5);
    const now = Date.now.bind(Date);
    vi.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000);
    await outlivesTheTimeout(db);
    expect(reader.closings).toEqual([]);
    expect(await stream.holdsSlot()).toBe(true);
    await stream.close();
  });

  // Trap 12.
  it('gives payloads that are still right when the buffers below them were used again', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    const payload = (id: number) => JSON.stringify({ id, text: `${id}-`.repeat(2000) });
    await db.admin.query('begin');
    for (let id = 1; id <= 400; id += 1)
      await db.admin.query(insertSql, [eid(id), `product-${id}`, payload(id)]);
    await db.admin.query('commit');
    await reader.untilIds(400);
    await stream.close();
    const rows = reader.transactions.flatMap((transaction) => transaction.rows);
    const wrong = rows.filter((row, index) => row.payload.toString() !== payload(index + 1));
    expect(wrong.length).toBe(0);
  });

  // Trap 15.
  it('finds a publication with capitals, quotes and commas in its name', async () => {
    await using db = await createOutboxDatabase(server, {
      publication: `My"Pub', x`.replaceAll('"', '""'),
    });
    const reader = new RecordingReader();
    const stream = await db.source({ publication: `My"Pub', x` }).open(reader);
    await db.insert(eid(1));
    expect(await reader.untilIds(1)).toEqual([eid(1)]);
    await stream.close();
  });

  // Trap 16.
  it('leaves no connection behind when the stream could not be started', async () => {
    await using db = await createOutboxDatabase(server);
    const stream = await db.source().open(new RecordingReader());
    const listener = {
      started: () => undefined,
      frame: () => undefined,
      warning: () => undefined,
      ended: () => undefined,
    };
    const settings = { databaseUrl: db.relayUrl };
    for (let attempt = 0; attempt < 3; attempt += 1)
      await expect(
        ReplicationLink.open({ settings, slot: db.slot, publication: 'outbound', listener }),
      ).rejects.toMatchObject({ code: 'SOURCE_SLOT_BUSY' });
    await stream.close();
    await eventually(async () => {
      const { rows } = await db.admin.query<{ n: number }>(
        "select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'outbound-relay'",
      );
      return rows[0]?.n === 0;
    });
  });

  /** The server lets go of a slot a moment after its connection has died. */
  async function reopened<T>(open: () => Promise<T>): Promise<T> {
    return eventually(open, { timeoutMs: 10_000 });
  }
});
