import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import { createLogger, systemClock, type WalState } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { migrateDatabase } from '../../catalog-api/src/migrations/migrate-database.ts';
import { keepHouse } from './house-keeper.ts';
import { monitorSlot } from './slot-monitor.ts';
import { slotQuestion } from './wal/slot-question.ts';

describe.each<PostgresMajor>([18, 15])('the house keeper on Postgres %i', (major) => {
  let server: PostgresServer;
  let admin: pg.Client;
  let databaseUrl = '';
  let lines: Record<string, unknown>[] = [];
  let count = 0;

  beforeAll(async () => {
    server = await startPostgres({ major });
    await migrateDatabase({
      databaseUrl: await server.createDatabase('migrated'),
      directory: 'migrations',
      passwords: { outbound_relay: 'relay' },
    });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    const url = await server.createDatabase(`kept_${(count += 1)}`, 'migrated');
    admin = new pg.Client(url);
    await admin.connect();
    const login = { username: 'outbound_relay', password: 'relay' };
    databaseUrl = Object.assign(new URL(url), login).href;
    lines = [];
    return async () => {
      await admin.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
      );
      await admin.end();
    };
  });

  const logger = createLogger({
    service: 'test',
    level: 'debug',
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  /** Runs until `until` holds. */
  async function keep(until: () => unknown, intervalMs = 3_600_000): Promise<void> {
    const stop = new AbortController();
    const kept = keepHouse(
      {
        connection: { databaseUrl },
        retentionHours: 72,
        intervalMs,
        clock: systemClock,
        logger,
      },
      stop.signal,
    );
    try {
      await eventually(until);
    } finally {
      stop.abort();
      await kept;
    }
  }
  const told = () =>
    lines.map(({ level, action, partition }) =>
      [level, action, String(partition).replace(/\d{8}/g, 'D')].join(' '),
    );
  /** Connections of a run. */
  const connections = async () =>
    (
      await admin.query(
        "select from pg_stat_activity where application_name = 'outbound-relay-housekeeping' and datname = current_database()",
      )
    ).rowCount ?? 0;
  const loseTheDays = () =>
    admin.query(`
      do $$ declare part record; begin
        for part in select partition_name from outbox_partition loop execute format('drop table %I', part.partition_name); end loop;
      end $$`);
  /** A step takes so long that no test sees its end. */
  const makeSlow = () =>
    admin.query(`
      create or replace function outbox_clear_default() returns outbox_action[] language sql
        as 'select array[]::outbox_action[] from pg_sleep(60)'`);

  it('does every step in one run, and keeps no connection open behind it', async () => {
    await loseTheDays();
    await admin.query(`
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
      values (gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}')`);
    await keep(async () => lines.length === 8 && (await connections()) === 0);
    expect(told()).toEqual([
      'info bounded outbox_default',
      'info checked outbox_default',
      'info moved outbox_D_to_D',
      ...Array<string>(5).fill('info created outbox_D'),
    ]);
  });

  it('tells at the end of a run, once, what was put off', async () => {
    await admin.query(`
      do $$ begin
        execute format('create table outbox_old partition of outbox for values from (%L) to (%L)', now() - interval '9 days', now() - interval '8 days');
        execute format('drop table %I', (select partition_name from outbox_partition order by lower_bound desc limit 1));
        execute format('drop table %I', (select partition_name from outbox_partition order by lower_bound desc limit 1));
      end $$`);
    await keep(async () => lines.length === 4 && (await connections()) === 0);
    expect(told()).toEqual([
      'info sealed outbox_old',
      'info created outbox_D',
      'info created outbox_D',
      'warn kept outbox_old',
    ]);
  });

  it('tries again after a failure, and says why', async () => {
    await admin.query('revoke execute on function outbox_housekeeping from outbound_relay');
    await keep(() => lines.length >= 2, 10);
    expect(lines[0]).toMatchObject({ level: 'warn', component: 'housekeeping' });
    expect(JSON.stringify(lines[0])).toContain(
      'permission denied for function outbox_housekeeping',
    );
  });

  it('leaves the house to somebody else if that is set', async () => {
    await keepHouse(
      {
        connection: { databaseUrl },
        retentionHours: 72,
        intervalMs: 0,
        clock: systemClock,
        logger,
      },
      new AbortController().signal,
    );
    expect(lines).toEqual([]);
  });

  it('stops at once in the middle of a step', async () => {
    await makeSlow();
    const startedMs = performance.now();
    await keep(async () => (await connections()) === 1);
    expect(performance.now() - startedMs).toBeLessThan(30_000);
    expect(lines).toEqual([]);
  });

  it('may be slow, and the slot is known meanwhile', async () => {
    await makeSlow();
    await admin.query("select pg_create_logical_replication_slot('slow', 'pgoutput')");
    const states: WalState[] = [];
    const stop = new AbortController();
    const monitor = monitorSlot(
      {
        question: slotQuestion({ databaseUrl }, 'slow'),
        slot: 'slow',
        budget: { warnBytes: undefined, alarmBytes: undefined },
        clock: { ...systemClock, sleep: (_, signal) => systemClock.sleep(10, signal) },
        logger,
        onVerdict: ({ state }) => states.push(state),
      },
      stop.signal,
    );
    await keep(async () => (await connections()) === 1 && states.length >= 3);
    stop.abort();
    await monitor;
    expect(new Set(states)).toEqual(new Set(['ok']));
    expect(lines).toEqual([]);
  });
});
