import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { startFaultProxy } from '../../../../test/support/fault-proxy.ts';
import { createOutboxDatabase, eid } from './test-support/outbox-database.ts';
import { RecordingReader } from './test-support/recording-reader.ts';

/** The server's own is Postgres' default, a minute, which a takeover after a hang would have to wait for. */
describe.each([18, 15] as const)('how long Postgres %i holds the slot', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major });
  });
  afterAll(async () => server.close());

  it("is ours where that of the server is longer or none, and the server's where it is shorter", async () => {
    await using db = await createOutboxDatabase(server);
    const role = new URL(db.relayUrl).username;
    /** With this one for the role, and that one wanted. */
    const heldForMs = async (ofTheRole: string, timing: { walSenderTimeoutMs?: number }) => {
      await db.admin.query(`alter role ${role} set wal_sender_timeout = '${ofTheRole}'`);
      const source = db.source({ statusIntervalMs: 1000, ...timing });
      const stream = await source.open(new RecordingReader());
      await stream.close();
      return stream.heldForMs;
    };
    expect(await heldForMs('60s', { walSenderTimeoutMs: 4000 })).toBe(3000);
    expect(await heldForMs('3s', { walSenderTimeoutMs: 4000 })).toBe(2000);
    expect(await heldForMs('0', { walSenderTimeoutMs: 4000 })).toBe(3000);
    expect(await heldForMs('60s', {})).toBe(14_000);
  });

  it('is what the reader said: one that is cut off without a word is replaced', async () => {
    await using db = await createOutboxDatabase(server);
    await using proxy = await startFaultProxy({ port: server.port });
    const url = new URL(db.relayUrl);
    url.port = String(proxy.port);
    const timing = { walSenderTimeoutMs: 1500, statusIntervalMs: 200 };
    const active = new RecordingReader();
    const held = await db.source({ databaseUrl: url.href, ...timing }).open(active);
    await db.insert(eid(1));
    await active.untilIds(1);
    const standby = db.source(timing);
    const refusal: unknown = await standby
      .open(new RecordingReader())
      .catch((thrown: unknown) => thrown);
    expect(refusal).toMatchObject({ code: 'SOURCE_SLOT_BUSY' });
    proxy.set({ mode: 'blackhole' });
    // The session of the one that is gone ends by the server's clock, and only so: nothing tells it that its reader is gone.
    await eventually(async () => (await standby.slotHealth())?.isActive === false, {
      timeoutMs: 20_000,
    });
    const next = new RecordingReader();
    const stream = await standby.open(next);
    expect(await next.untilIds(1)).toEqual([eid(1)]);
    proxy.heal();
    await held.close();
    await stream.close();
  });
});
