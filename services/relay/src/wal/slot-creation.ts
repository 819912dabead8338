import type { ClientBase } from 'pg';
import { RelayError } from '../errors.ts';
import { connect, destroy, type Sentinel } from './sentinel.ts';
import { toSourceError } from './source-errors.ts';
import { slotTable, type SourceNames } from './source-facts.ts';
import type { ConnectionSettings } from './connection-config.ts';
import { lsnFromText, lsnToText, type Lsn } from './lsn.ts';

/** What holds up the creation of a slot. */
export interface CreationBlocker {
  /** Server process, or undefined for a prepared transaction. */
  readonly pid: number | undefined;
  /** Name of a prepared transaction. */
  readonly preparedGid: string | undefined;
  readonly state: string;
  /** Age of the transaction in ms, by the server's clock. */
  readonly ageMs: number;
}

interface CreationOptions {
  readonly settings: ConnectionSettings;
  readonly sentinel: Sentinel;
  readonly names: SourceNames;
  /** From 17 on the slot follows a failover to a standby that synchronizes slots. */
  readonly failover: boolean;
  /** Aborted: the creation is cancelled at the server, and leaves no slot. */
  readonly signal?: AbortSignal | undefined;
  /** How often to look for what it waits for. Defaults to 2,000 ms. */
  readonly blockerIntervalMs?: number;
  /** Called while it waits; again only when the blocker changed. */
  readonly onBlocked: (blocker: CreationBlocker) => void;
}

/**
 * Creates the slot: logical, pgoutput, permanent, without two_phase. Postgres waits for every transaction that writes at that moment,
 * for as long as they take; meanwhile `onBlocked` names the oldest. Gives the position where the slot begins.
 * @throws RelayError SOURCE_SLOT_BUSY if another relay was faster; SOURCE_CONNECTION_LOST if it was cancelled.
 */
export async function createSlot(options: CreationOptions): Promise<Lsn> {
  const { settings, names, failover, signal, sentinel } = options;
  // A connection of its own: it may wait for hours, and questions must not wait behind it.
  const client = await connect(settings);
  const watch = watchBlockers(options);
  let cancel: (() => void) | undefined;
  try {
    // A backend that waits does not look at its socket: without this it would make the slot hours after we are gone.
    await client.query("set client_connection_check_interval = '1s'");
    const backend = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const pid = backend.rows[0]?.pid;
    cancel = (): void => {
      sentinel
        .ask('cancelling the creation of the slot', (c) =>
          c.query('select pg_cancel_backend($1)', [pid]),
        )
        // The server ends it all the same, when it sees that the connection is gone.
        .catch(() => destroy(client));
    };
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted) throw cancelled(names.slot);
    const { rows } = await client.query<{ lsn: string }>(
      `select lsn::text from pg_create_logical_replication_slot($1, 'pgoutput', false, false${failover ? ', true' : ''})`,
      [names.slot],
    );
    return lsnFromText(rows[0]?.lsn ?? '');
  } catch (thrown) {
    throw signal?.aborted
      ? cancelled(names.slot, thrown)
      : toSourceError(thrown, 'check', `creating slot "${names.slot}"`);
  } finally {
    if (cancel) signal?.removeEventListener('abort', cancel);
    watch.stop();
    destroy(client);
  }
}

function cancelled(slot: string, cause?: unknown): RelayError {
  return new RelayError(
    'SOURCE_CONNECTION_LOST',
    `the creation of slot "${slot}" was cancelled, because the relay was asked to stop`,
    { cause },
  );
}

/**
 * Records that a relay made, or took over, the slot: from now on its absence is a data gap and not a first start.
 * After the creation, never before: a record without a slot would stop the relay for a gap that is none.
 */
export async function recordSlot(
  client: ClientBase,
  { slot, outbox }: SourceNames,
  { systemIdentifier, lsn }: { systemIdentifier: string; lsn: Lsn },
): Promise<void> {
  await client.query(
    `insert into ${slotTable(outbox)} (slot_name, system_identifier, created_lsn)
     values ($1, $2, $3) on conflict do nothing`,
    [slot, systemIdentifier, lsnToText(lsn)],
  );
}

const blockerSql = `
  select pid, null as gid, state, extract(epoch from clock_timestamp() - xact_start)::float8 * 1000 as age_ms
    from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()
  union all
  select null, gid, 'prepared', extract(epoch from clock_timestamp() - prepared)::float8 * 1000 from pg_prepared_xacts
  order by age_ms desc limit 1`;

function watchBlockers(options: CreationOptions): { stop: () => void } {
  let told: string | undefined;
  let isAsking = false;
  const look = async (): Promise<void> => {
    isAsking = true;
    try {
      const { rows } = await options.sentinel.ask('looking for what slot creation waits for', (c) =>
        c.query<{ pid: number | null; gid: string | null; state: string | null; age_ms: number }>(
          blockerSql,
        ),
      );
      const row = rows[0];
      const key = row && `${row.pid}/${row.gid}`;
      if (!row || key === told) return;
      told = key;
      options.onBlocked({
        pid: row.pid ?? undefined,
        preparedGid: row.gid ?? undefined,
        // Another role's state is hidden from ours.
        state: row.state ?? 'unknown',
        ageMs: row.age_ms,
      });
    } catch {
      // Only a courtesy: the creation itself says what is wrong.
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => {
    // `look` never rejects.
    if (!isAsking) look().catch(() => undefined);
  }, options.blockerIntervalMs ?? 2000);
  return { stop: () => clearInterval(timer) };
}
