import { readFile, rm, stat, writeFile, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import type { SourceNotice } from './postgres-source.ts';
import { createOutboxDatabase, eid } from './test-support/outbox-database.ts';
import { RecordingReader } from './test-support/recording-reader.ts';

/** Starts the server again as a standby that nobody streams to, as the old primary of a switchover is for a while. */
async function demote(server: PostgresServer): Promise<void> {
  await server.stop();
  const signal = join(server.dataDir, 'standby.signal');
  await writeFile(signal, '');
  const { uid, gid } = await stat(server.dataDir);
  await chown(signal, uid, gid);
  await server.start();
}

describe.each([18, 15] as const)('what heals, on Postgres %i', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major });
  });
  afterAll(async () => server.close());

  it('a server in recovery is waited for, and after its promotion nothing is missing', async () => {
    await using db = await createOutboxDatabase(server);
    const source = db.source();
    await (await source.open(new RecordingReader())).close();
    await db.insert(eid(1));
    await demote(server);
    const admin = new pg.Client({ connectionString: db.url });
    await admin.connect();
    try {
      const refusal: unknown = await source
        .open(new RecordingReader())
        .catch((thrown: unknown) => thrown);
      expect(refusal).toMatchObject({
        code: 'SOURCE_IN_RECOVERY',
        recovery: { action: 'retry' },
      });
      // The monitor's question is answered there too.
      expect(await source.slotHealth()).toMatchObject({ isActive: false });
      await admin.query('select pg_promote()');
      const reader = new RecordingReader();
      const stream = await source.open(reader);
      expect(await reader.untilIds(1)).toEqual([eid(1)]);
      await stream.close();
    } finally {
      await admin.end();
      await rm(join(server.dataDir, 'standby.signal'), { force: true });
    }
  });
});

describe.each([18, 15] as const)('a stop while the slot is made, on Postgres %i', (major) => {
  it('cancels the creation and leaves no slot behind', async () => {
    await using server = await startPostgres({ major });
    await using db = await createOutboxDatabase(server);
    const writer = await db.client();
    await writer.query('begin; insert into other values (1); select txid_current()');
    const stop = new AbortController();
    const source = db.source({
      onNotice: ({ kind }) => kind === 'slot-creation-waits' && stop.abort(),
    });
    const startedMs = performance.now();
    let stoppedMs = Infinity;
    stop.signal.addEventListener('abort', () => (stoppedMs = performance.now()));
    await expect(source.open(new RecordingReader(), stop.signal)).rejects.toMatchObject({
      code: 'SOURCE_CONNECTION_LOST',
    });
    expect(stoppedMs).toBeGreaterThan(startedMs);
    expect(performance.now() - stoppedMs).toBeLessThan(2000);
    const slots = () => db.admin.query('select from pg_replication_slots');
    await eventually(async () => (await slots()).rowCount === 0, { timeoutMs: 5000 });
    await writer.query('commit');
    const reader = new RecordingReader();
    const stream = await source.open(reader);
    await db.insert(eid(1));
    expect(await reader.untilIds(1)).toEqual([eid(1)]);
    await stream.close();
  });
});

describe.each([18, 15] as const)('a silent server, Postgres %i', (major) => {
  it('that works for longer than twice its timeout is waited for, and the silence is told', async () => {
    await using server = await startPostgres({ major, settings: { wal_sender_timeout: '1s' } });
    await using db = await createOutboxDatabase(server);
    const silences: (number | undefined)[] = [];
    const source = db.source({
      // That question would wait for the lock too.
      checkIntervalMs: 600_000,
      onNotice: (notice) => notice.kind === 'server-silent' && silences.push(notice.silentMs),
    });
    const reader = new RecordingReader();
    const stream = await source.open(reader);
    // The decoder needs the publication for its first change, and waits without a word: as it does for a big transaction with
    // hundreds of thousands of savepoints, but for as long as we want.
    const holder = await db.client();
    await holder.query('begin; lock table pg_publication, pg_publication_rel');
    await db.insert(eid(1));
    await eventually(() => silences.length > 3 || reader.closings.length > 0, {
      timeoutMs: 30_000,
    });
    expect(reader.closings).toEqual([]);
    expect(silences.every((silentMs) => (silentMs ?? 0) >= 2000)).toBe(true);
    await holder.query('commit');
    expect(await reader.untilIds(1)).toEqual([eid(1)]);
    expect(silences.at(-1)).toBeUndefined();
    await stream.close();
  });
});

describe('a standby that a failover slot waits for', () => {
  it('is warned of while it is down, and what waited for it comes once it is not waited for', async () => {
    await using server = await startPostgres({ settings: { wal_sender_timeout: '2s' } });
    await using db = await createOutboxDatabase(server);
    await db.admin.query("select pg_create_physical_replication_slot('standby_1')");
    await db.admin.query("alter system set synchronized_standby_slots = 'standby_1'");
    await db.admin.query('select pg_reload_conf()');
    const notices: SourceNotice[] = [];
    const source = db.source({ failover: true, onNotice: (notice) => notices.push(notice) });
    const reader = new RecordingReader();
    reader.acknowledgesAll = true;
    const stream = reader.attach(await source.open(reader));
    await db.insert(eid(1));
    const warned = () =>
      notices.some(
        ({ kind, ...rest }) => kind === 'server-warning' && /standby_1/.test(JSON.stringify(rest)),
      );
    await reader.until(() => warned() || reader.closings.length > 0, 30_000);
    expect(reader.closings).toEqual([]);
    expect(warned()).toBe(true);
    expect(reader.rowCount).toBe(0);
    await db.admin.query('alter system reset synchronized_standby_slots');
    await db.admin.query('select pg_reload_conf()');
    expect(await reader.untilIds(1)).toEqual([eid(1)]);
    await stream.close();
    expect(await readFile(server.logFile, 'utf8')).toContain('standby_1');
  });
});
