import type { Socket } from 'node:net';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { createDatabase, type Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';

/* What is told of a transaction whose COMMIT got no clear answer, and of one that broke before. */

let server: PostgresServer;
let admin: pg.Client;
let pool: pg.Pool;
let db: Database;
/** The pool's connection, of which there is one at a time. */
let connection: pg.Client;

beforeAll(async () => {
  // 18, since 17 is the first with transaction_timeout.
  server = await startPostgres({ major: 18 });
  const url = await server.createDatabase('outcomes');
  admin = new pg.Client({ connectionString: url });
  await admin.connect();
  // COMMIT carries out what stands in the row: waits for the lock 4711, or raises an error with this SQLSTATE.
  await admin.query(`
    create table thing (id int primary key, at_commit text not null);
    create function do_at_commit() returns trigger language plpgsql as $$
      begin
        if new.at_commit = 'wait' then perform pg_advisory_xact_lock_shared(4711);
        elsif new.at_commit <> '' then raise exception 'refused at commit' using errcode = new.at_commit;
        end if;
        return null;
      end $$;
    create constraint trigger do_at_commit after insert on thing deferrable initially deferred
      for each row execute function do_at_commit()`);
  pool = new pg.Pool({ connectionString: url, max: 1, application_name: 'subject' });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => (connection = client));
  db = createDatabase(pool);
});
afterAll(async () => {
  await pool?.end();
  await admin?.end();
  await server?.close();
});
beforeEach(() => admin.query('truncate thing; select pg_advisory_lock(4711)'));
afterEach(() => admin.query('select pg_advisory_unlock_all()'));

const write = (id: number, atCommit = '', before?: () => Promise<unknown>) =>
  inTransaction(db, async ({ tx }) => {
    await tx.execute(sql`insert into thing values (${id}, ${atCommit})`);
    await before?.();
  });
/** The backend of the pool's connection, once it is in this state. */
const backend = (state: string) =>
  eventually(async () => {
    const { rows } = await admin.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name = 'subject' and (wait_event = $1 or state = $1)",
      [state],
    );
    return rows[0]?.pid;
  });
const terminate = (pid: number | undefined) =>
  admin.query('select pg_terminate_backend($1, 5000)', [pid]);
const ids = async () =>
  (await admin.query<{ id: number }>('select id from thing order by id')).rows.map(({ id }) => id);
/** The codes along the chain of causes. */
async function codesOf(attempt: Promise<unknown>): Promise<readonly unknown[]> {
  const codes: unknown[] = [];
  try {
    await attempt;
  } catch (thrown) {
    for (let error = thrown; error instanceof Error; error = error.cause)
      codes.push((error as { code?: unknown }).code);
  }
  return codes.filter((code) => code !== undefined);
}

describe('what breaks while COMMIT is out leaves the outcome open:', () => {
  it.each([
    'EPROTO',
    'EMFILE',
    'ECONNRESET',
    'ERR_STREAM_DESTROYED',
    'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
    'SOMETHING_NEW',
    undefined,
  ])('a connection that fails with %s', async (code) => {
    const attempt = codesOf(write(1, 'wait'));
    await backend('advisory');
    const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection;
    stream.destroy(Object.assign(new Error('it broke'), { code }));
    expect((await attempt)[0]).toBe('OUTCOME_UNKNOWN');
    // It was made all the same: "nothing was written" would have been untrue.
    await admin.query('select pg_advisory_unlock_all()');
    await eventually(async () => (await ids()).length === 1);
  });

  it('a session that is ended by the server', async () => {
    const attempt = codesOf(write(1, 'wait'));
    await terminate(await backend('advisory'));
    expect(await attempt).toEqual(['OUTCOME_UNKNOWN', '57P01']);
  });

  it.each(['40003', '08007'])('the answer %s, which says that nobody knows', async (state) => {
    expect(await codesOf(write(1, state))).toEqual(['OUTCOME_UNKNOWN', state]);
  });
});

describe('what the server refuses at COMMIT was not written, and is told as it said it:', () => {
  it.each(['23514', '53100', 'P0001'])('%s', async (state) => {
    expect(await codesOf(write(1, state))).toEqual([state]);
    expect(await ids()).toEqual([]);
  });

  it('a lock that is not given in time (a statement timeout does not cover COMMIT)', async () => {
    const attempt = codesOf(
      inTransaction(db, async ({ tx }) => {
        await tx.execute(sql`set local lock_timeout = 50`);
        await tx.execute(sql`insert into thing values (1, 'wait')`);
      }),
    );
    expect(await attempt).toEqual(['55P03']);
    expect(await ids()).toEqual([]);
  });
});

describe('what breaks before COMMIT was not written, and is told by its cause:', () => {
  it('a session that is ended between two statements', async () => {
    const attempt = write(1, '', async () => terminate(await backend('idle in transaction')));
    expect(await codesOf(attempt)).toEqual(['57P01']);
    expect(await ids()).toEqual([]);
  });

  it('a transaction that was idle for too long', async () => {
    const attempt = inTransaction(db, async ({ tx }) => {
      await tx.execute(sql`set local idle_in_transaction_session_timeout = 50`);
      await tx.execute(sql`insert into thing values (1, '')`);
      await eventually(() => !isAlive());
    });
    expect(await codesOf(attempt)).toEqual(['25P03']);
    expect(await ids()).toEqual([]);
  });

  it('a transaction that took too long as a whole', async () => {
    const attempt = inTransaction(db, async ({ tx }) => {
      await tx.execute(sql`set local transaction_timeout = 50`);
      await tx.execute(sql`insert into thing values (1, '')`);
      await tx.execute(sql`select pg_sleep(60)`);
    });
    expect(await codesOf(attempt)).toEqual(['25P04']);
    expect(await ids()).toEqual([]);
  });

  it('the answer 40003, since no COMMIT followed it', async () => {
    const attempt = inTransaction(db, async ({ tx }) => {
      await tx.execute(sql`insert into thing values (1, '')`);
      await tx.execute(sql`do $$ begin raise exception 'x' using errcode = '40003'; end $$`);
    });
    expect(await codesOf(attempt)).toEqual(['40003']);
    expect(await ids()).toEqual([]);
  });

  it("an error of the caller's own, although the rollback fails behind it", async () => {
    const own = Object.assign(new Error('changed my mind'), { code: 'OWN' });
    const attempt = write(1, '', async () => {
      await terminate(await backend('idle in transaction'));
      throw own;
    });
    expect(await codesOf(attempt)).toEqual(['OWN']);
  });
});

describe('a statement with a name that the connection does not know any more', () => {
  let tries = 0;
  const named = (id: number, atCommit = '') =>
    inTransaction(
      db,
      async ({ query }) => {
        tries += 1;
        const text = 'insert into thing values ($1::int, $2)';
        await query({ name: 'insert_thing', text, values: [String(id), atCommit] });
      },
      { prepares: true },
    );
  beforeEach(() => (tries = 0));

  it('ends that connection, and the work is done once more without names', async () => {
    await named(1);
    const before = connection;
    await connection.query('deallocate all');
    await named(2);
    expect([await ids(), tries]).toEqual([[1, 2], 3]);
    await named(3);
    expect([await ids(), tries]).toEqual([[1, 2, 3], 4]);
    expect(connection).not.toBe(before);
  });

  it('is told if it is refused again', async () => {
    expect(await codesOf(named(1, '0A000'))).toEqual(['0A000']);
    expect([await ids(), tries]).toEqual([[], 2]);
  });

  it('is not looked for behind an unknown outcome', async () => {
    pool.once('acquire', (client: pg.PoolClient) => {
      const query = client.query.bind(client) as (...all: unknown[]) => Promise<unknown>;
      const breaking: typeof query = (...all) => {
        const isRollback = (all[0] as { text?: unknown }).text === 'rollback';
        if (isRollback) (client.connection.stream as Socket).destroy();
        return query(...all);
      };
      Object.assign(client, { query: breaking });
    });
    expect(await codesOf(named(1, '0A000'))).toEqual(['OUTCOME_UNKNOWN', '0A000']);
    expect(tries).toBe(1);
  });
});

/** False once the pool's connection has heard of its end. */
function isAlive(): boolean {
  const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection;
  return !stream.destroyed && stream.readable;
}
