import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { migrateDatabase } from './migrate-database.ts';

let server: PostgresServer;
let directory: string;
let url: string;
let client: pg.Client;
let count = 0;

beforeAll(async () => void (server = await startPostgres()));
afterAll(() => server?.close());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'migrations-'));
  url = await server.createDatabase(`migrate_${(count += 1)}`);
  client = new pg.Client({ connectionString: url });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  rmSync(directory, { recursive: true });
});

const write = (name: string, sql: string) => writeFileSync(join(directory, name), sql);
const migrate = (lockTimeoutMs = 10_000) =>
  migrateDatabase({ databaseUrl: url, directory, lockTimeoutMs });
const tables = async () =>
  (
    await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public' order by 1",
    )
  ).rows.map(({ name }) => name);

test('every file is run once; a second run has nothing to do', async () => {
  write('0001_a.sql', 'create table a ()');
  write('0002_b.sql', 'create table b ()');
  expect(await migrate()).toEqual(['0001_a.sql', '0002_b.sql']);
  expect(await migrate()).toEqual([]);
  expect(await tables()).toEqual(['a', 'b', 'schema_migration']);
});

test('two runners at once: one waits, both succeed, every file is run once', async () => {
  write('0001_a.sql', 'create table a (); select pg_sleep(0.2)');
  write('0002_b.sql', 'create table b ()');
  const [one, other] = await Promise.all([migrate(), migrate()]);
  expect([...one, ...other].sort()).toEqual(['0001_a.sql', '0002_b.sql']);
});

test('a runner that waits too long for another says so', async () => {
  await client.query('create table gate ()');
  await client.query('begin; lock table gate');
  write('0001_a.sql', 'drop table gate');
  const blocked = migrate();
  await eventually(async () => {
    const { rowCount } = await client.query("select from pg_locks where locktype = 'advisory'");
    return rowCount;
  });
  await expect(migrate(100)).rejects.toMatchObject({
    code: 'MIGRATION_LOCKED',
    message: expect.stringContaining('more than 100 ms') as string,
  });
  await client.query('commit');
  expect(await blocked).toEqual(['0001_a.sql']);
});

describe('a file that needs a table which somebody reads', () => {
  beforeEach(async () => {
    await client.query('create table read_for_long ()');
    await client.query('begin; select from read_for_long');
    write('0001_a.sql', 'alter table read_for_long add n int');
  });

  test('is tried until the reader has ended, and keeps no writer waiting meanwhile', async () => {
    const blocked = migrate(60_000);
    const writer = new pg.Client({ connectionString: url });
    await writer.connect();
    try {
      // Longer than one try waits for the table, and shorter than the reader reads.
      await writer.query("set lock_timeout = '20s'");
      for (let tries = 0; tries < 3; tries += 1) {
        await eventually(async () => {
          const { rowCount } = await writer.query('select from pg_locks where not granted');
          return rowCount;
        });
        await writer.query('insert into read_for_long default values');
      }
    } finally {
      await writer.end();
    }
    await client.query('commit');
    expect(await blocked).toEqual(['0001_a.sql']);
  });

  test('is given up after the time that was set, by name', async () => {
    await expect(migrate(300)).rejects.toMatchObject({
      code: 'MIGRATION_LOCKED',
      message: expect.stringContaining('0001_a.sql got a lock that it needs in no try') as string,
    });
    await client.query('commit');
  });
});

test('a failing file leaves nothing behind, those before it stay, and the message names file and line', async () => {
  write('0001_a.sql', 'create table a ()');
  write('0002_b.sql', 'create table b ();\ninsert into nowhere values (1)');
  await expect(migrate()).rejects.toMatchObject({
    code: 'MIGRATION_FAILED',
    message: expect.stringContaining(
      '0002_b.sql line 2 failed, and nothing of it was kept: relation "nowhere" does not exist',
    ) as string,
  });
  expect(await tables()).toEqual(['a', 'schema_migration']);
  write('0002_b.sql', 'create table b ()');
  expect(await migrate()).toEqual(['0002_b.sql']);
});

test('an edited file and a file that was merged late are refused before anything is run', async () => {
  write('0001_a.sql', 'create table a ()');
  write('0003_c.sql', 'create table c ()');
  await migrate();
  write('0002_b.sql', 'create table b ()');
  await expect(migrate()).rejects.toMatchObject({ code: 'MIGRATION_OUT_OF_ORDER' });
  rmSync(join(directory, '0002_b.sql'));
  write('0003_c.sql', 'create table c (n int)');
  write('0004_d.sql', 'create table d ()');
  await expect(migrate()).rejects.toMatchObject({ code: 'MIGRATION_EDITED' });
  expect(await tables()).toEqual(['a', 'c', 'schema_migration']);
});

describe('the command', () => {
  const run = promisify(execFile);
  const command = (env: Record<string, string>) =>
    run(process.execPath, ['--import', 'tsx', 'services/catalog-api/src/migrate.ts'], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
    });

  test('finds the files by itself, says what it did, and gives logins with any password', async () => {
    const password = `it's "quoted" \\ and % :@/ $$`;
    const env = {
      CATALOG_MIGRATE_DATABASE_URL: url,
      CATALOG_MIGRATE_API_PASSWORD: password,
      CATALOG_MIGRATE_RELAY_PASSWORD: password,
      CATALOG_MIGRATE_OPERATOR_PASSWORD: password,
    };
    const first = await command(env);
    const { length } = readdirSync('migrations');
    expect(first.stdout).toMatch(/^applied 0001_roles\.sql\n/);
    expect(first.stdout).toMatch(new RegExp(`\n${length} migrations applied\n$`));
    const second = await command(env);
    expect(second.stdout).toBe('nothing to do: the database is up to date\n');
    expect(first.stdout + first.stderr + second.stdout + second.stderr).not.toContain('quoted');
    for (const role of ['outbound_api', 'outbound_operator', 'outbound_relay']) {
      const { hostname: host, port, pathname } = new URL(url);
      const login = new pg.Client({
        host,
        port: Number(port),
        database: pathname.slice(1),
        user: role,
        password,
      });
      await login.connect();
      await login.end();
    }
    const { rows } = await client.query(
      "select rolname, rolreplication from pg_roles where rolname like 'outbound%' order by 1",
    );
    expect(rows).toEqual([
      { rolname: 'outbound_api', rolreplication: false },
      { rolname: 'outbound_operator', rolreplication: true },
      { rolname: 'outbound_relay', rolreplication: true },
    ]);
  });

  test('exits 2 for a wrong setting and 1 for a migration that fails, and shows no password', async () => {
    await expect(command({})).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('CATALOG_MIGRATE_DATABASE_URL: is missing') as string,
    });
    const wrong = new URL(url);
    wrong.password = 'hunter2';
    write('0001_a.sql', 'nonsense');
    const failure = await command({
      CATALOG_MIGRATE_DATABASE_URL: url,
      CATALOG_MIGRATE_DIRECTORY: directory,
    }).catch((error: unknown) => error as { code: number; stderr: string });
    expect(failure).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('MIGRATION_FAILED: 0001_a.sql line 1 failed') as string,
    });
    const refused = await command({ CATALOG_MIGRATE_DATABASE_URL: wrong.href }).catch(
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).not.toContain('hunter2');
  });
});

test('what migrations create can be created again in another database of the same server', async () => {
  cpSync('migrations', directory, { recursive: true });
  expect(await migrate()).toContain('0001_roles.sql');
  const other = await server.createDatabase('migrate_other');
  expect(await migrateDatabase({ databaseUrl: other, directory })).toContain('0001_roles.sql');
});
