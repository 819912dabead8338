import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { eventually } from '../../../../test/support/eventually.ts';
import { lsnFromText, noLsn } from './lsn.ts';
import { defaultOutboxTable } from './outbox-table.ts';
import { PostgresStream } from './postgres-stream.ts';
import { Sentinel } from './sentinel.ts';
import { createOutboxDatabase, eid } from './test-support/outbox-database.ts';
import { RecordingReader } from './test-support/recording-reader.ts';

/**
 * A server that is stopped waits for its replication streams: when the last reported position is not what it has sent, or when its
 * socket is full, it waits for ever (walsender.c, WalSndDone and ProcessPendingWrites). Reliability notes 1.2 and 1.3.
 */
describe.each([18, 15] as const)('a Postgres %i that stops or vanishes', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major, settings: { wal_sender_timeout: '4s' } });
  });
  afterAll(async () => server.close());

  const bulkSql = `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
    select gen_random_uuid(), 't', 'a', 'e', 1, 'C', json_build_object('x', repeat('x', 10000)) from generate_series(1, 3000)`;

  async function stopped(): Promise<number> {
    const { durationMs } = await server.stop('fast', { timeoutMs: 20_000 });
    console.log(`Postgres ${major}: fast stop took ${Math.round(durationMs)} ms`);
    await server.start();
    return durationMs;
  }

  it('stops within 2 s while the stream is idle, and what is committed after comes after', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    reader.acknowledgesAll = true;
    const source = db.source();
    const stream = reader.attach(await source.open(reader));
    await db.insert(eid(1));
    await reader.untilIds(1);
    expect(await stopped()).toBeLessThan(2000);
    await reader.until(() => reader.closings.length > 0);
    expect(reader.closings.map((error) => error.code)).toEqual(['SOURCE_CONNECTION_LOST']);
    await stream.close();

    const next = new RecordingReader();
    const again = await source.open(next);
    const client = await db.client();
    await client.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values ('${eid(2)}', 't', 'a', 'e', 1, 'C', '{}')`,
    );
    await next.until(() => next.ids.includes(eid(2)));
    // Up to 16 a server saves the confirmed position at a stop only if something else of the slot changed, so a repeat is right there.
    if (major >= 17) expect(next.ids).toEqual([eid(2)]);
    await again.close();
  });

  it.each([
    ['idle', true],
    ['busy', false],
  ])('does not wait for a stream that is %s and has not heard of the stop', async (_, isIdle) => {
    await using db = await createOutboxDatabase(server);
    // So that no periodic update comes in time: only the answer to the server's question lets it go.
    await db.admin.query(
      `alter role ${new URL(db.relayUrl).username} set wal_sender_timeout = '60s'`,
    );
    const { slot } = db;
    const settings = { databaseUrl: db.relayUrl };
    await (await db.source().open(new RecordingReader())).close();
    // It tells nobody, so that only the status updates can let the server go.
    const sentinel = await Sentinel.open(settings, () => undefined);
    const reader = new RecordingReader();
    reader.acknowledgesAll = true;
    const stream = await PostgresStream.open({
      settings,
      names: { slot, publication: 'outbound', outbox: defaultOutboxTable },
      listener: reader,
      sentinel,
      isPartitioned: false,
      startLsn: noLsn,
      onWarning: () => undefined,
      onSilence: () => undefined,
    });
    reader.attach(stream);
    await db.insert(eid(1));
    await reader.untilIds(1);
    const ackLsn = reader.transactions[0]?.commitEndLsn;
    await eventually(async () => lsnFromText((await db.confirmedFlushLsn()) ?? '') === ackLsn);
    reader.acknowledgesAll = isIdle;
    if (!isIdle) stream.report({ ackLsn: ackLsn ?? noLsn, idle: false });
    await db.insert(eid(2));
    await reader.untilIds(2);
    expect(await stopped()).toBeLessThan(2000);
    await stream.close();
  });

  it('stops within 2 s while something is not acknowledged, and gives it again', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const source = db.source();
    const stream = await source.open(reader);
    await db.insert(eid(1));
    await reader.untilIds(1);
    expect(await stopped()).toBeLessThan(2000);
    await reader.until(() => reader.closings.length > 0);
    await stream.close();
    const next = new RecordingReader();
    const again = await source.open(next);
    expect(await next.untilIds(1)).toEqual([eid(1)]);
    await again.close();
  });

  it('stops within 2 s while back-pressure holds a full socket, and gives all of it again', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const source = db.source();
    const stream = await source.open(reader);
    stream.pause();
    await db.admin.query(bulkSql);
    // The server is stuck in its send: it has decoded, and what it sent stays below what it has to send.
    await eventually(async () => {
      const { rows } = await db.admin.query<{ stuck: boolean }>(
        `select wait_event = 'WalSenderWriteData' or wait_event = 'WalSndWriteData' as stuck from pg_stat_activity a
         join pg_replication_slots s on s.active_pid = a.pid where s.slot_name = $1`,
        [db.slot],
      );
      return rows[0]?.stuck;
    });
    expect(await stopped()).toBeLessThan(2000);
    await reader.until(() => reader.closings.length > 0);
    await stream.close();
    const next = new RecordingReader();
    const again = await source.open(next);
    await next.untilIds(3000);
    await again.close();
  });

  it('is given up within twice its timeout, and one unanswered question, when it goes silent', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const stream = await db.source().open(reader);
    await db.insert(eid(1));
    await reader.untilIds(1);
    const startedMs = performance.now();
    await server.pause();
    try {
      await reader.until(() => reader.closings.length > 0, 25_000);
    } finally {
      await server.resume();
    }
    expect(reader.closings.map((error) => error.code)).toEqual(['SOURCE_CONNECTION_LOST']);
    const silentMs = performance.now() - startedMs;
    expect(silentMs).toBeGreaterThan(4000);
    expect(silentMs).toBeLessThan(8000 + 5000 + 2000);
    await stream.close();
  });

  it('gives everything again that was not acknowledged when it was killed', async () => {
    await using db = await createOutboxDatabase(server);
    const reader = new RecordingReader();
    const source = db.source();
    const stream = await source.open(reader);
    for (const id of [1, 2, 3]) await db.insert(eid(id));
    await reader.untilIds(3);
    await server.kill();
    await reader.until(() => reader.closings.length > 0);
    await stream.close();
    await expect(source.open(new RecordingReader())).rejects.toMatchObject({
      code: 'SOURCE_CONNECTION_LOST',
    });
    await server.start();
    const next = new RecordingReader();
    const again = await source.open(next);
    expect(await next.untilIds(3)).toEqual([eid(1), eid(2), eid(3)]);
    await again.close();
  });
});
