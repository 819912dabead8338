import { postgresConnection } from '@outbound/service-kit';
import pg from 'pg';
import { CliError, exitCodes } from '../exit-codes.ts';

/** What a recovery did between the old life of the slot and the new one. */
export interface Bridge<Emitted> {
  readonly emitted: Emitted;
  /** Where the new slot begins; what was emitted is the first thing after it. */
  readonly slotLsn: string;
  /** How long writers had to wait, milliseconds. */
  readonly heldMs: number;
}

/**
 * The slot under a name of its own until everything is in place: it ends with the session, so a recovery that is killed
 * leaves none behind.
 */
export function interimSlot(slot: string): string {
  return `${slot.slice(0, 54)}_recovery`;
}

/**
 * Creates the interim slot. The server waits for every transaction that writes at that moment, however long it takes;
 * meanwhile `onBlocked` is told of the oldest,
 * every two seconds.
 * @throws CliError INTERRUPTED if the signal came first: nothing was changed.
 */
export async function createInterimSlot(
  session: pg.ClientBase,
  slot: string,
  {
    pool,
    signal,
    onBlocked,
  }: {
    readonly pool: pg.Pool;
    readonly signal: AbortSignal;
    readonly onBlocked: (blocker: string) => void;
  },
): Promise<void> {
  const pid = await one(session, 'select pg_backend_pid()::text as value', []);
  // Both are courtesies of another session: an error of theirs says nothing about the creation.
  const cancel = () => {
    pool.query('select pg_cancel_backend($1)', [pid]).catch(() => undefined);
  };
  const look = () => {
    pool
      .query<{ blocker: string }>(blockerSql, [pid])
      .then(({ rows }) => rows[0] && onBlocked(rows[0].blocker))
      .catch(() => undefined);
  };
  const timer = setInterval(look, 2000);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    if (signal.aborted) throw new Error('asked to stop');
    await session.query("select pg_create_logical_replication_slot($1, 'pgoutput', true)", [
      interimSlot(slot),
    ]);
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    throw new CliError('INTERRUPTED', 'interrupted; nothing was changed', {
      exitCode: exitCodes.interrupted,
      cause: thrown,
    });
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', cancel);
  }
}

const blockerSql = `
  select coalesce('process ' || pid, 'prepared transaction ' || gid) || ', for ' || floor(extract(epoch from age)) || ' s' as blocker
  from (
    select pid, null as gid, clock_timestamp() - xact_start as age
      from pg_stat_activity where backend_xid is not null and pid <> $1::integer
    union all
    select null, gid, clock_timestamp() - prepared from pg_prepared_xacts
  ) open order by age desc nulls last limit 1`;

/**
 * Cuts the log in two, with the missing events at the head of the second part: see `recover-verb.ts` for why.
 * @param flush makes the server write everything to disk that is committed: a slot cannot be moved further than that.
 * @param emit writes the missing events with `session`; gives what became of them.
 * @throws CliError OUTBOX_BUSY (exit 6) if a transaction keeps the outbox for more than five seconds: nothing was done.
 */
export async function bridge<Emitted>(
  session: pg.ClientBase,
  slot: string,
  { flush, emit }: { flush: () => Promise<void>; emit: () => Promise<Emitted> },
): Promise<Bridge<Emitted>> {
  await session.query('begin');
  try {
    const startedMs = performance.now();
    await hold(session);
    const target = await one(session, 'select pg_current_wal_insert_lsn()::text as value', []);
    await flush();
    const slotLsn = await one(
      session,
      'select end_lsn::text as value from pg_replication_slot_advance($1, $2)',
      [interimSlot(slot), target],
    );
    const reached = await session.query<{ ok: boolean }>('select $1::pg_lsn >= $2::pg_lsn as ok', [
      slotLsn,
      target,
    ]);
    if (reached.rows[0]?.ok !== true)
      throw new CliError(
        'SLOT_NOT_ADVANCED',
        `the new slot stopped at ${slotLsn}, before ${target}: try again; nothing was changed`,
      );
    const emitted = await emit();
    await session.query('commit');
    return { emitted, slotLsn, heldMs: performance.now() - startedMs };
  } catch (thrown) {
    await session.query('rollback').catch(() => undefined);
    throw thrown;
  }
}

/**
 * The last step: from here on a relay may start. The record comes first, so that in between a relay stops for the gap
 * instead of starting without a past.
 */
export async function installSlot(
  session: pg.ClientBase,
  slot: string,
  { slotLsn, mustDrop }: { readonly slotLsn: string; readonly mustDrop: boolean },
): Promise<void> {
  await session.query('begin');
  await session.query('delete from relay_slot where slot_name = $1', [slot]);
  await session.query(
    `insert into relay_slot (slot_name, system_identifier, created_lsn)
     select $1, system_identifier::text, $2::pg_lsn from pg_control_system()`,
    [slot, slotLsn],
  );
  await session.query('commit');
  if (mustDrop) await session.query('select pg_drop_replication_slot($1)', [slot]);
  await session.query('select pg_copy_logical_replication_slot($1, $2, false)', [
    interimSlot(slot),
    slot,
  ]);
}

/**
 * Lets the slot follow a failover, as the relay's own slots do if it is told so. Only a replication connection can say
 * it of a slot that is there, and no slot is copied with it; so there is a moment in which a slot is installed without. It is waited for whoever reads the slot,
 * for `patienceMs`.
 * @param slot `[a-z0-9_]{1,63}`, since this statement takes no parameters. Needs Postgres 17.
 * @throws CliError FAILOVER_NOT_SET (exit 6): the slot is as good as before.
 */
export async function followFailovers(
  pool: pg.Pool,
  databaseUrl: string,
  slot: string,
  { patienceMs = 5000 }: { readonly patienceMs?: number } = {},
): Promise<void> {
  const url = new URL(databaseUrl);
  url.searchParams.set('replication', 'database');
  const client = new pg.Client(postgresConnection(url.href));
  // A broken connection fails the statement, which says so.
  client.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  try {
    await client.connect();
    const pid = await one(client, 'select pg_backend_pid()::text as value');
    // The server would wait for a relay that has taken the slot until that one ends.
    timer = setTimeout(() => {
      pool.query('select pg_cancel_backend($1)', [pid]).catch(() => undefined);
    }, patienceMs);
    await client.query(`ALTER_REPLICATION_SLOT "${slot}" (FAILOVER true)`);
  } catch (thrown) {
    throw new CliError(
      'FAILOVER_NOT_SET',
      `slot "${slot}" is in its place and nothing is missing, but it does not follow failovers yet (${thrown instanceof Error ? thrown.message : String(thrown)}): stop the relay if it reads the slot, then run outbound recover --failover, which does only that`,
      { exitCode: exitCodes.busy, cause: thrown },
    );
  } finally {
    clearTimeout(timer);
    await client.end().catch(() => undefined);
  }
}

async function hold(session: pg.ClientBase): Promise<void> {
  try {
    await session.query('select outbox_hold()');
  } catch (thrown) {
    // lock_not_available
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === '55P03')) throw thrown;
    throw new CliError(
      'OUTBOX_BUSY',
      'a transaction that has written to the outbox stays open for more than 5 s: end it (select pid, xact_start, state from pg_stat_activity where xact_start is not null order by xact_start), then try again; nothing was changed',
      { exitCode: exitCodes.busy, cause: thrown },
    );
  }
}

async function one(
  session: pg.ClientBase,
  sql: string,
  values?: readonly string[],
): Promise<string> {
  const { rows } = await session.query<{ value: string }>(sql, values && [...values]);
  const value = rows[0]?.value;
  if (value === undefined) throw new Error('the server gave no row where one was certain');
  return value;
}
