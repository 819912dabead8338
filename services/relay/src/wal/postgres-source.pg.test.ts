import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  createOutboxDatabase,
  eid,
  insertSql,
  outboxColumnsSql,
} from './test-support/outbox-database.ts';
import { RecordingReader } from './test-support/recording-reader.ts';
import { lsnFromText } from './lsn.ts';

describe.each([18, 15] as const)('the Postgres %i source', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major, settings: { wal_sender_timeout: '3s' } });
  });
  afterAll(async () => server.close());

  it('streams what was committed, tells who it reads, and holds the slot until it is closed', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    await db.insert(eid(1), eid(2));
    await db.insert(eid(3));
    expect(await reader.untilIds(3)).toEqual([eid(1), eid(2), eid(3)]);
    expect(reader.transactions.map(({ rows }) => rows.map((row) => row.position.index))).toEqual([
      [0, 1],
      [0],
    ]);
    expect(reader.openings).toEqual([stream.identity]);
    expect(stream.identity).toMatchObject({ timeline: 1, database: db.name, slot: db.slot });
    expect(await stream.holdsSlot()).toBe(true);
    await stream.close();
    expect(reader.closings).toEqual([]);
    const { rows } = await db.admin.query(
      'select active from pg_replication_slots where slot_name = $1',
      [db.slot],
    );
    expect(rows).toEqual([{ active: false }]);
  });

  it('acknowledges the exact end of a commit: confirmed_flush is that, and nothing comes again', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    await db.insert(eid(1));
    await reader.untilIds(1);
    const ackLsn = reader.transactions[0]?.commitEndLsn ?? lsnFromText('0/0');
    stream.report({ ackLsn, idle: true });
    await stream.close();
    expect(lsnFromText((await db.confirmedFlushLsn()) ?? '')).toBe(ackLsn);

    const next = new RecordingReader();
    const again = await db.source().open(next);
    await db.insert(eid(2));
    expect(await next.untilIds(1)).toEqual([eid(2)]);
    await again.close();
  });

  // Trap 1.4: without publish_via_partition_root the rows come under the partitions' names.
  it('reads a partitioned outbox through its root, and refuses one that is published by its partitions', async () => {
    await using db = await createOutboxDatabase(server, { isPartitioned: true });
    const reader = new RecordingReader();
    const stream = await db.source({ checkIntervalMs: 3_600_000 }).open(reader);
    await db.insert(eid(1));
    expect(await reader.untilIds(1)).toEqual([eid(1)]);
    await db.admin.query('alter publication outbound set (publish_via_partition_root = false)');
    // Faster than any check: the row itself gives it away.
    await db.insert(eid(2));
    await reader.until(() => reader.closings.length > 0);
    expect(reader.closings[0]).toMatchObject({ code: 'SOURCE_PUBLICATION_WRONG' });
    await stream.close();
    await expect(db.source().open(new RecordingReader())).rejects.toMatchObject({
      code: 'SOURCE_PUBLICATION_WRONG',
    });
  });

  // Trap 6 of the first page, and 1.4.
  it('ends with a missing publication, and not without the rows, when it was dropped and made again under the stream', async () => {
    await using db = await createOutboxDatabase(server);
    // 18 tells of it by a warning only, which a role's own setting could hide.
    await db.admin.query(
      `alter role ${new URL(db.relayUrl).username} set client_min_messages = 'error'`,
    );
    const source = db.source({ checkIntervalMs: 3_600_000 });
    const reader = new RecordingReader();
    reader.acknowledgesAll = true;
    const stream = reader.attach(await source.open(reader));
    await db.insert(eid(1));
    await reader.untilIds(1);
    // All at once, so that no timer can see it.
    await db.admin.query('begin; drop publication outbound; commit');
    await db.admin.query(insertSql, [eid(2), 'p', '{}']);
    await db.admin.query("create publication outbound for table outbox with (publish = 'insert')");
    await db.insert(eid(3));
    await reader.until(() => reader.closings.length > 0);
    await stream.close();
    expect(reader.closings.map((error) => error.code)).toEqual(['SOURCE_PUBLICATION_MISSING']);
    expect(reader.ids).toEqual([eid(1)]);

    // And again: the gap does not heal by looking away.
    const next = new RecordingReader();
    const again = await eventually(async () => source.open(next));
    await next.until(() => next.closings.length > 0);
    expect(next.closings.map((error) => error.code)).toEqual(['SOURCE_PUBLICATION_MISSING']);
    expect(next.ids.includes(eid(3))).toBe(false);
    await again.close();
  });

  it('notices on its timer that a publication was altered under a stream that has nothing to read', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source({ checkIntervalMs: 50 }).open(reader);
    await db.admin.query("alter publication outbound set (publish = 'delete')");
    await reader.until(() => reader.closings.length > 0);
    expect(reader.closings.map((error) => error.code)).toEqual(['SOURCE_PUBLICATION_WRONG']);
    await stream.close();
  });

  // Trap 1.4.
  it('passes by logical messages, truncates, deletes and rows of other tables, and moves the slot behind them', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    reader.acknowledgesAll = true;
    const stream = reader.attach(await db.source().open(reader));
    await db.insert(eid(1));
    await db.admin.query(`
      select pg_logical_emit_message(true, 'outbox', '{"forged":true}');
      select pg_logical_emit_message(false, 'outbox', '{"forged":true}');
      delete from outbox; insert into other select generate_series(1, 1000); truncate outbox;`);
    const { rows } = await db.admin.query<{ lsn: string }>(
      'select pg_current_wal_lsn()::text as lsn',
    );
    await eventually(async () => {
      const moved = await db.admin.query<{ ok: boolean }>(
        'select confirmed_flush_lsn >= $2::pg_lsn as ok from pg_replication_slots where slot_name = $1',
        [db.slot, rows[0]?.lsn],
      );
      return moved.rows[0]?.ok;
    });
    expect(reader.ids).toEqual([eid(1)]);
    await stream.close();
  });

  it('finds its columns by name after DDL under the stream', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    await db.insert(eid(1));
    await db.admin.query(
      "alter table outbox add column note text not null default 'n'; alter table outbox drop column note; alter table outbox add column other_note int not null default 7",
    );
    await db.insert(eid(2));
    await db.admin
      .query(`begin; drop table outbox; create table outbox (extra int, ${outboxColumnsSql});
      alter publication outbound add table outbox; commit`);
    await db.insert(eid(3));
    expect(await reader.untilIds(3)).toEqual([eid(1), eid(2), eid(3)]);
    await stream.close();
  });

  // Trap 1.1.
  it('gives transactions in commit order, with positions that rise, when they began in another', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    const early = await db.client();
    await early.query('begin');
    await early.query(insertSql, [eid(21), 'p', '{}']);
    await db.insert(eid(20));
    const rolledBack = await db.client();
    await rolledBack.query('begin');
    await rolledBack.query(insertSql, [eid(99), 'p', '{}']);
    await rolledBack.query('rollback');
    await early.query('savepoint s');
    await early.query(insertSql, [eid(98), 'p', '{}']);
    await early.query('rollback to savepoint s');
    await early.query('commit');
    expect(await reader.untilIds(2)).toEqual([eid(20), eid(21)]);
    const [first, second] = reader.transactions;
    expect(first && second && first.commitLsn < second.commitLsn).toBe(true);
    await stream.close();
  });
});
