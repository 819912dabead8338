import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { migrateDatabase } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])('an index that is built online on Postgres %i', (major) => {
  let server: PostgresServer;
  let directory: string;
  let url: string;
  let client: pg.Client;
  let observer: pg.Client;
  let count = 0;

  beforeAll(async () => void (server = await startPostgres({ major })));
  afterAll(() => server?.close());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'migrations-'));
    url = await server.createDatabase(`online_${(count += 1)}`);
    client = new pg.Client({ connectionString: url });
    await client.connect();
    observer = new pg.Client({ connectionString: url });
    await observer.connect();
    await client.query('create table a (b int); insert into a values (1), (1)');
    return async () => {
      await observer.end();
      await client.end();
      rmSync(directory, { recursive: true });
    };
  });

  const write = (name: string, sql: string) => writeFileSync(join(directory, name), sql);
  const migrate = (lockTimeoutMs = 30_000) =>
    migrateDatabase({ databaseUrl: url, directory, lockTimeoutMs });
  const indexes = async () =>
    (
      await observer.query<{ name: string; valid: boolean }>(
        "select indexrelid::regclass::text as name, indisvalid as valid from pg_index where indrelid = 'a'::regclass order by 1",
      )
    ).rows;
  const building = () =>
    eventually(async () => {
      const { rowCount } = await observer.query(
        "select from pg_stat_activity where application_name = 'catalog-migrate' and wait_event_type = 'Lock'",
      );
      return rowCount;
    });

  test('keeps no writer waiting, while it waits for a transaction that began before', async () => {
    write('0001_a.sql', '-- online\ncreate index concurrently if not exists a_idx on a (b);');
    await client.query('begin; insert into a values (2)');
    const migrated = migrate();
    await building();
    await observer.query("set lock_timeout = '10s'; insert into a values (3)");
    await client.query('commit');
    expect(await migrated).toEqual(['0001_a.sql']);
    expect(await indexes()).toEqual([{ name: 'a_idx', valid: true }]);
  });

  test('is built although another runner waits for its turn', async () => {
    write('0001_a.sql', '-- online\ncreate index concurrently if not exists a_idx on a (b);');
    await client.query('begin; insert into a values (2)');
    const migrated = migrate();
    await building();
    const second = migrate();
    await eventually(async () => {
      const { rowCount } = await observer.query(
        "select from pg_stat_activity where application_name = 'catalog-migrate'",
      );
      return rowCount === 2;
    });
    await client.query('commit');
    expect(await migrated).toEqual(['0001_a.sql']);
    expect(await second).toEqual([]);
  });

  test('that broke off is invalid, and is dropped and built anew by the next run, which goes on where this one ended', async () => {
    write(
      '0001_a.sql',
      `-- online
      create index concurrently if not exists a_first on a (b);
      create unique index concurrently if not exists a_key on a (b);`,
    );
    await expect(migrate()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('migrating again goes on there') as string,
    });
    expect(await indexes()).toEqual([
      { name: 'a_first', valid: true },
      { name: 'a_key', valid: false },
    ]);
    await client.query('update a set b = 2 where ctid = (select min(ctid) from a)');
    expect(await migrate()).toEqual(['0001_a.sql']);
    expect(await indexes()).toEqual([
      { name: 'a_first', valid: true },
      { name: 'a_key', valid: true },
    ]);
    expect(await migrate()).toEqual([]);
  });

  test('is given up after the time that was set, and can be tried again', async () => {
    write('0001_a.sql', '-- online\ncreate index concurrently if not exists a_idx on a (b);');
    await client.query('begin; insert into a values (2)');
    await expect(migrate(200)).rejects.toMatchObject({ code: 'MIGRATION_LOCKED' });
    await client.query('commit');
    expect(await migrate()).toEqual(['0001_a.sql']);
    expect(await indexes()).toEqual([{ name: 'a_idx', valid: true }]);
  });

  test('stands in a file in which nothing else is: such a file is refused before anything is run', async () => {
    write('0001_a.sql', 'create table c ()');
    write('0002_b.sql', '-- online\nalter table a add column d int;');
    await expect(migrate()).rejects.toMatchObject({ code: 'MIGRATION_INVALID' });
    expect((await observer.query("select to_regclass('c') as c")).rows).toEqual([{ c: null }]);
  });
});
