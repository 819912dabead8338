import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from './index.ts';
import { pollUntil } from './poll-until.ts';
import { isAlive } from './processes/process-tree.ts';

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe.each([18, 15] as const)('Postgres %i as a process', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major, settings: { wal_sender_timeout: '3s' } });
  });
  afterAll(async () => server.close());

  it('is of the version asked for and ready for logical decoding', async () => {
    const rows = await query<{ version: number; wal: string; timeout: string; encoding: string }>(
      server.url,
      `select current_setting('server_version_num')::int / 10000 as version, current_setting('wal_level') as wal,
              current_setting('wal_sender_timeout') as timeout, current_setting('server_encoding') as encoding`,
    );
    expect(rows).toEqual([{ version: major, wal: 'logical', timeout: '3s', encoding: 'UTF8' }]);
  });

  it('refuses a wrong password', async () => {
    const url = server.url.replace(':postgres@', ':wrong@');
    await expect(query(url, 'select 1')).rejects.toThrow('password authentication failed');
  });

  it('creates databases, also as a copy of another', async () => {
    const first = await server.createDatabase(`a "first" one ${major}`);
    await query(first, 'create table t as select 42 as n');
    const second = await server.createDatabase('second', `a "first" one ${major}`);
    expect(await query(second, 'select n from t')).toEqual([{ n: 42 }]);
  });

  it('keeps what was committed over a stop and over a kill, on the same port', async () => {
    const url = await server.createDatabase('kept');
    await query(url, 'create table t (n int)');
    await query(url, 'insert into t values (1)');
    const { durationMs } = await server.stop('fast');
    expect(durationMs).toBeGreaterThan(0);
    expect(() => server.pid).toThrow('not running');
    await server.start();
    await query(url, 'insert into t values (2)');
    const killed = server.pid;
    await server.kill();
    await server.start();
    expect(server.pid).not.toBe(killed);
    expect(await query(url, 'select n from t order by n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('takes its backends with it when it is killed, also one that is busy', async () => {
    const client = new pg.Client({ connectionString: server.url });
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const backend = rows[0]?.pid ?? 0;
    // It never asks whether its postmaster lives.
    const busy = client.query('select count(*) from generate_series(1, 1000000000000)');
    const broken = expect(busy).rejects.toThrow('terminated');
    await pollUntil(
      async () =>
        (
          await query(
            server.url,
            `select 1 from pg_stat_activity where pid = ${backend} and state = 'active'`,
          )
        ).length > 0,
      { what: 'the busy backend', timeoutMs: 10_000 },
    );
    expect(isAlive(backend)).toBe(true);
    await server.kill();
    expect(isAlive(backend)).toBe(false);
    await broken;
    await server.start();
  });

  it('is silent while paused, its open connections too, and goes on when resumed', async () => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    let answered = false;
    await server.pause();
    const answer = client.query('select 1 as one').then((result) => {
      answered = true;
      return result.rows as unknown;
    });
    const stateOf = async (pid: number) =>
      /State:\s+(\S)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    expect(await stateOf(server.pid)).toBe('T');
    expect(answered).toBe(false);
    await server.resume();
    expect(await answer).toEqual([{ one: 1 }]);
    await client.end();
  });

  it('leaves settings to ALTER SYSTEM', async () => {
    await query(server.url, `alter system set wal_sender_timeout = '7s'`);
    await query(server.url, 'select pg_reload_conf()');
    await server.stop();
    await server.start();
    expect(await query(server.url, 'show wal_sender_timeout')).toEqual([
      { wal_sender_timeout: '7s' },
    ]);
  });
});

describe('Postgres data', () => {
  it('has an identity of its own, though it is a copy of a cached folder', async () => {
    const sql = 'select system_identifier::text as id from pg_control_system()';
    await using one = await startPostgres();
    await using two = await startPostgres();
    const [first, second] = [await query(one.url, sql), await query(two.url, sql)];
    expect(first[0]).not.toEqual(second[0]);
  });

  it('is removed at the end when it is temporary', async () => {
    const server = await startPostgres();
    await server.close();
    await server.close();
    await expect(stat(server.dataDir)).rejects.toThrow('ENOENT');
    await expect(server.start()).rejects.toThrow('closed for good');
  });

  it('is kept in a folder that the caller names, which another version refuses', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'local-stack-'));
    const dataDir = join(parent, 'data');
    try {
      const first = await startPostgres({ dataDir });
      await query(first.url, 'create table t as select 42 as n');
      await first.close();
      const second = await startPostgres({ dataDir });
      expect(await query(second.url, 'select n from t')).toEqual([{ n: 42 }]);
      await second.close();
      await expect(startPostgres({ dataDir, major: 15 })).rejects.toThrow(
        'holds data of Postgres 18, not 15',
      );
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });

  it('is not mixed up with that of a server which has the wanted port already', async () => {
    await using first = await startPostgres();
    await expect(startPostgres({ port: first.port })).rejects.toThrow(
      'found its port taken: Address already in use',
    );
  });

  it('is not started by two servers; the second one says why', async () => {
    await using first = await startPostgres();
    await expect(startPostgres({ dataDir: first.dataDir })).rejects.toThrow(
      /ended while it started \(exit code 1\).*lock file "postmaster.pid" already exists/s,
    );
    expect(await query(first.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});
