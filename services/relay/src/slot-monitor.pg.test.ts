import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import { createLogger, systemClock, type WalVerdict } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SlotReader, slotStatus } from '../../../packages/cli/src/status/slot-status.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { RelayError, recoveries } from './errors.ts';
import { defaultSendLimits } from './kafka/send-plan.ts';
import { silentObserver, type RelayState } from './relay-observer.ts';
import { runRelay } from './relay.ts';
import { monitorSlot, slotReadiness } from './slot-monitor.ts';
import { slotQuestion } from './wal/slot-question.ts';
import { createOutboxDatabase, type OutboxDatabase } from './wal/test-support/outbox-database.ts';
import { RecordingReader } from './wal/test-support/recording-reader.ts';

const mebibyte = 1024 * 1024;
const budget = { warnBytes: undefined, alarmBytes: undefined };

describe.each<PostgresMajor>([18, 15])('the retained log on Postgres %i', (major) => {
  let server: PostgresServer;
  let db: OutboxDatabase;
  let lines: Record<string, unknown>[] = [];
  beforeAll(async () => {
    server = await startPostgres({
      major,
      settings: {
        max_slot_wal_keep_size: '128MB',
        max_wal_size: '64MB',
        min_wal_size: '64MB',
        checkpoint_timeout: '1h',
        max_prepared_transactions: '2',
        ...(major >= 18 ? { idle_replication_slot_timeout: '1d' } : {}),
      },
    });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    db = await createOutboxDatabase(server);
    lines = [];
    return async () => {
      await db.admin.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where active_pid is null',
      );
      await db[Symbol.asyncDispose]();
    };
  });

  const logger = createLogger({
    service: 'test',
    level: 'debug',
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  /** As the relay sees it, until it is as expected; with the role of a relay, which may see nobody's transactions. */
  async function watch(
    until: (verdict: WalVerdict) => boolean,
    nowMs = () => systemClock.nowMs(),
  ): Promise<WalVerdict> {
    const stop = new AbortController();
    const seen: WalVerdict[] = [];
    const watching = monitorSlot(
      {
        question: slotQuestion({ databaseUrl: db.relayUrl }, db.slot),
        slot: db.slot,
        budget,
        clock: { ...systemClock, nowMs, sleep: (_, signal) => systemClock.sleep(20, signal) },
        logger,
        onVerdict: (verdict) => seen.push(verdict),
      },
      stop.signal,
    );
    try {
      await eventually(() => seen.some(until));
    } finally {
      stop.abort();
      await watching;
    }
    return seen.find(until) ?? seen[0] ?? Promise.reject(new Error('nothing was seen'));
  }
  /** Sixteen mebibytes of log each. */
  async function writeLog(segments: number): Promise<void> {
    for (let each = 0; each < segments; each += 1)
      await db.admin.query('insert into other values (1); select pg_switch_wal()');
  }
  /** A reader that confirms all it reads, as a relay whose Kafka is well. */
  async function read(): Promise<AsyncDisposable> {
    const reader = new RecordingReader();
    reader.acknowledgesAll = true;
    const stream = reader.attach(await db.source({ statusIntervalMs: 100 }).open(reader));
    return { [Symbol.asyncDispose]: () => stream.close() };
  }

  it('is judged against the limit of the server, and by the command line the same', async () => {
    await (await read())[Symbol.asyncDispose]();
    const calm = await watch(({ state }) => state === 'ok');
    expect(calm.thresholds).toEqual({ warnBytes: 48 * mebibyte, alarmBytes: 96 * mebibyte });
    expect(calm.health).toMatchObject({ isActive: false, limitBytes: 128 * mebibyte });
    expect(calm.health?.idleLimitSeconds).toBe(major >= 18 ? 86_400 : undefined);
    await writeLog(4);
    const warned = await watch(({ state }) => state !== 'ok');
    expect(warned).toMatchObject({ state: 'warn', holder: { cause: 'nobody-reads' } });
    expect(slotReadiness(warned, { isStandby: false }).ok).toBe(true);

    const pool = new pg.Pool({ connectionString: db.url });
    try {
      const looking = new SlotReader(db.slot, budget).judge(pool);
      await eventually(async () => (await db.admin.query('select')) && pool.idleCount > 0);
      await writeLog(3);
      const verdict = await looking;
      expect(verdict).toMatchObject({ state: 'alarm', holder: { cause: 'nobody-reads' } });
      expect(verdict.growth?.bytesPerSecond).toBeGreaterThan(mebibyte);
      expect(verdict.secondsLeft).toBeLessThan(60);
      expect(slotStatus(db.slot, verdict)).toMatchObject({
        retained_bytes: verdict.health?.retainedBytes,
        budget: { state: 'alarm', cause: 'nobody-reads', limit_bytes: 128 * mebibyte },
      });
    } finally {
      await pool.end();
    }
    const alarm = await watch(({ state }) => state === 'alarm');
    expect(slotReadiness(alarm, { isStandby: false }).ok).toBe(false);
    expect(slotReadiness(alarm, { isStandby: true }).ok).toBe(true);
    expect(lines.map(({ level, state, cause }) => [level, state, cause])).toEqual([
      ['warn', 'warn', 'nobody-reads'],
      ['error', 'alarm', 'nobody-reads'],
    ]);
  });

  it('is no alarm where the server keeps nothing beyond the segment that it writes, and nothing else is kept', async () => {
    await db.admin.query('alter system set max_slot_wal_keep_size = 0');
    try {
      await db.admin.query('select pg_reload_conf()');
      await using _ = await read();
      const verdict = await watch(({ health }) => health?.limitBytes === 0);
      expect(verdict).toMatchObject({ state: 'ok', health: { walStatus: 'reserved' } });
      expect(verdict.health?.safeBytes).toBeGreaterThan(0);
    } finally {
      await db.admin.query('alter system reset max_slot_wal_keep_size');
      await db.admin.query('select pg_reload_conf()');
    }
  });

  it('is told by a relay without rights which transaction keeps it', async () => {
    await using _ = await read();
    const open = await db.client();
    await open.query(`set application_name = 'forgotten'; begin; insert into other values (1)`);
    const { rows } = await open.query<{ pid: number }>('select pg_backend_pid() as pid');
    // The server tells where transactions are open at each checkpoint, and moves the slot behind that.
    await writeLog(3);
    await db.admin.query('checkpoint');
    // A clock on which each look comes a minute after the one before.
    let looks = 0;
    const minutes = () => (looks += 1) * 60_000;
    const held = await watch(({ holder }) => holder?.cause === 'transaction', minutes);
    expect(held.holder?.because).toMatch(
      new RegExp(`^a transaction is open for \\d+ min \\(process ${rows[0]?.pid}, forgotten\\)$`),
    );
    expect(held.health?.lagBytes).toBeLessThan(mebibyte);

    await open.query("prepare transaction 'two'");
    const prepared = await watch(({ health }) => health?.oldest?.gid === 'two');
    expect(prepared.health?.oldest).toMatchObject({ pid: undefined, application: '' });
    expect(prepared.health?.oldest?.seconds).toBeGreaterThanOrEqual(0);
    await open.query("rollback prepared 'two'");
    expect((await watch(() => true)).health?.oldest).toBe(undefined);
  });

  it('of a slot that is being made names whom that waits for', async () => {
    const open = await db.client();
    await open.query("begin; insert into other values (1); prepare transaction 'older'");
    const opening = read();
    try {
      await watch(({ health }) => health?.isActive === true);
      await writeLog(2);
      const { holder } = await watch(
        ({ state, health }) => state === 'ok' && (health?.retainedBytes ?? 0) > 16 * mebibyte,
      );
      expect(holder).toMatchObject({
        cause: 'prepared-transaction',
        remedy: expect.stringContaining("rollback prepared 'older'") as string,
      });
    } finally {
      await open.query("rollback prepared 'older'");
      await (await opening)[Symbol.asyncDispose]();
    }
  });

  it('that is given up under a relay which cannot get rid of it ends the relay with a data gap', async () => {
    const states: RelayState[] = [];
    const ended: (string | undefined)[] = [];
    const stop = new AbortController();
    const relay = runRelay(
      {
        source: db.source({ statusIntervalMs: 100 }),
        publisher: { open: () => Promise.reject(new RelayError('SINK_UNAVAILABLE', 'gone')) },
        eventTypes: new Map(),
        clock: systemClock,
        random: () => 0,
        settings: {
          outbox: { schema: 'public', name: 'outbox' },
          limits: defaultSendLimits,
          maxInFlightBytes: mebibyte,
          drainMs: 0,
          stallLimitMs: 10_000,
          skipEvents: new Set(),
        },
        observer: {
          ...silentObserver,
          stateChanged: (state) => states.push(state),
          sessionEnded: (error) => ended.push(error?.code),
        },
        failPoint: () => undefined,
      },
      stop.signal,
    );
    const outcome = relay.then(
      () => 'stopped',
      (thrown: unknown) => thrown,
    );
    try {
      await watch(({ health }) => health?.isActive === true);
      await db.insert('00000000-0000-7000-8000-000000000001');
      await writeLog(8);
      const unconfirmed = await watch(({ state }) => state === 'alarm');
      expect(unconfirmed.holder?.cause).toBe('unconfirmed');
      await writeLog(2);
      await db.admin.query('checkpoint');
      const error = await outcome;
      expect(error).toMatchObject({ code: 'SOURCE_SLOT_INVALIDATED' });
      expect(recoveries.SOURCE_SLOT_INVALIDATED).toMatchObject({ action: 'halt', exitCode: 11 });
      expect(ended).toEqual(['SOURCE_CONNECTION_LOST', 'SOURCE_SLOT_INVALIDATED']);
      const lost = await watch(({ state }) => state === 'lost');
      expect(slotReadiness(lost, { isStandby: true })).toMatchObject({
        ok: false,
        detail: expect.stringContaining('outbound recover') as string,
      });
    } finally {
      stop.abort();
      await outcome;
    }
  });
});
