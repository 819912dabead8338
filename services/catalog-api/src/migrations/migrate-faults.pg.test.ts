import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { migrateDatabase, type MigrateOptions } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])('faults while Postgres %i is migrated', (major) => {
  let server: PostgresServer;
  let directory: string;
  let url: string;
  let client: pg.Client;
  /** In no transaction, where pg_stat_activity would stand still. */
  let observer: pg.Client;
  let count = 0;

  beforeAll(async () => void (server = await startPostgres({ major })));
  afterAll(() => server?.close());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'migrations-'));
    url = await server.createDatabase(`faults_${(count += 1)}`);
    client = new pg.Client({ connectionString: url });
    await client.connect();
    observer = new pg.Client({ connectionString: url });
    await observer.connect();
    return async () => {
      await observer.end();
      await client.end();
      rmSync(directory, { recursive: true });
    };
  });

  const write = (name: string, sql: string) => writeFileSync(join(directory, name), sql);
  const migrate = (options: Partial<MigrateOptions> = {}) =>
    migrateDatabase({ databaseUrl: url, directory, lockTimeoutMs: 30_000, ...options });
  const tables = async () =>
    (
      await client.query<{ name: string }>(
        "select tablename as name from pg_tables where schemaname = 'public' order by 1",
      )
    ).rows.map(({ name }) => name);
  /** The process of a runner that waits for a lock. */
  const waitingRunner = () =>
    eventually(async () => {
      const { rows } = await observer.query<{ pid: number }>(
        "select pid from pg_stat_activity where application_name = 'catalog-migrate' and wait_event_type = 'Lock'",
      );
      return rows[0]?.pid;
    });

  /** A runner that has looked for the lock, and did not get it. */
  const refusedRunner = (since = '0 ms') =>
    eventually(async () => {
      const { rows } = await observer.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name = 'catalog-migrate'
         and query like '%pg_try_advisory_lock%' and state = 'idle' and backend_start < clock_timestamp() - $1::interval`,
        [since],
      );
      return rows[0];
    });

  test('a runner whose connection ends while it waits does not blame another runner', async () => {
    write('0001_a.sql', 'create table a ()');
    await client.query('select pg_advisory_lock(7205331908)');
    const attempt = migrate();
    attempt.catch(() => undefined);
    await client.query('select pg_terminate_backend($1)', [(await refusedRunner()).pid]);
    // Between two looks, or in the middle of one.
    await expect(attempt).rejects.toThrow(/terminat|not queryable/);
    await client.query('select pg_advisory_unlock_all()');
    expect(await migrate()).toEqual(['0001_a.sql']);
  });

  test('a statement timeout of the role ends neither the wait for another runner nor a long migration', async () => {
    write('0001_a.sql', 'create table a (); select pg_sleep(0.3)');
    const slow = new URL(url);
    slow.searchParams.set('options', '-c statement_timeout=100');
    await client.query('select pg_advisory_lock(7205331908)');
    const attempt = migrate({ databaseUrl: slow.href });
    attempt.catch(() => undefined);
    await refusedRunner('300 ms');
    await client.query('select pg_advisory_unlock_all()');
    expect(await attempt).toEqual(['0001_a.sql']);
  });

  test('a server that dies in the middle of a file leaves nothing of it', async () => {
    write('0001_a.sql', 'create table a ()');
    write('0002_b.sql', 'create table b (); select from a; drop table gate; create table c ()');
    await client.query('create table gate ()');
    await client.query('begin; lock table gate');
    const attempt = migrate();
    attempt.catch(() => undefined);
    await client.query('select pg_terminate_backend($1)', [await waitingRunner()]);
    await expect(attempt).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('0002_b.sql failed, and nothing of it was kept') as string,
    });
    await client.query('commit');
    expect(await tables()).toEqual(['a', 'gate', 'schema_migration']);
    expect(await migrate()).toEqual(['0002_b.sql']);
  });

  test('a file that ends its transaction is refused, and the message does not claim that nothing was kept', async () => {
    write('0001_a.sql', 'create table a (); commit; create table b ()');
    await expect(migrate()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message:
        '0001_a.sql ended the transaction that it ran in, so it was kept in part or whole without being recorded: take commit and rollback out of it, and undo by hand what it did',
    });
    const { rows } = await client.query('select from schema_migration');
    expect(rows).toEqual([]);
  });

  test('logins can be given while another database of the server gives them too', async () => {
    write('0001_a.sql', 'create table a ()');
    await client.query(
      'do $$ begin create role outbound_api; exception when duplicate_object then null; end $$',
    );
    await client.query("begin; alter role outbound_api login password 'other'");
    const attempt = migrate({ passwords: { outbound_api: 'mine' } });
    attempt.catch(() => undefined);
    await waitingRunner();
    await client.query('commit');
    await attempt;
    const login = new pg.Client({
      connectionString: Object.assign(new URL(url), { username: 'outbound_api', password: 'mine' })
        .href,
    });
    await login.connect();
    await login.end();
  });
});

describe.each<PostgresMajor>([18, 15])('an owner that is no superuser, on Postgres %i', (major) => {
  let server: PostgresServer;
  let url: string;

  beforeAll(async () => {
    // All statements are in the log, as with many a hoster.
    server = await startPostgres({ major, settings: { log_statement: 'all' } });
    const created = await server.createDatabase('catalog');
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query(`
      create role migrator login createrole replication password 'm';
      grant pg_read_all_stats to migrator;
      alter database catalog owner to migrator`);
    await admin.end();
    url = Object.assign(new URL(created), { username: 'migrator', password: 'm' }).href;
  });
  afterAll(() => server?.close());

  const migrate = (passwords: MigrateOptions['passwords'] = {}) =>
    migrateDatabase({ databaseUrl: url, directory: 'migrations', passwords });

  test('migrates, keeps house, and gives the api its login', async () => {
    expect(await migrate({ outbound_api: 'api' })).toContain('0007_outbox_housekeeping.sql');
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(
      "select outbox_open_transaction(now() - interval '1 day') as open, outbox_unconfirmed_slot('0/1') as slot",
    );
    await client.end();
    expect(rows).toEqual([
      { open: null, slot: 'there is no slot, so nobody has confirmed anything' },
    ]);
  });

  test('gives the relay its login where Postgres allows that, and says who can where not', async () => {
    const attempt = migrate({ outbound_relay: 'hunter2' });
    if (major >= 16) {
      expect(await attempt).toEqual([]);
      return;
    }
    await expect(attempt).rejects.toMatchObject({
      code: 'MIGRATION_LOGIN_REFUSED',
      message: expect.stringMatching(
        /^outbound_relay got no login: must be superuser .*: run migrate as a superuser, or let one run ALTER ROLE outbound_relay LOGIN REPLICATION PASSWORD/,
      ) as string,
    });
    await expect(attempt).rejects.not.toThrow('hunter2');
  });

  test("leaves no password in the server's log, whether the login is given or refused", async () => {
    await migrate({ outbound_api: 'hunter2' });
    await migrate({ outbound_relay: 'hunter2' }).catch(() => undefined);
    const log = readFileSync(server.logFile, 'utf8');
    expect(log).toContain('alter role "outbound_api" login password');
    expect(log).toContain('alter role "outbound_relay" login replication password');
    expect(log).not.toContain('hunter2');
    const login = { username: 'outbound_api', password: 'hunter2' };
    const client = new pg.Client(Object.assign(new URL(url), login).href);
    await client.connect();
    await client.end();
  });

  test('refuses a password that another program would read as another one, before it changes anything', async () => {
    const attempt = migrate({ outbound_api: 'hunter\u{fb01}' });
    await expect(attempt).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(attempt).rejects.not.toThrow('hunter');
  });
});
