import type { ClientBase } from 'pg';
import { lsnFromText, type Lsn } from './lsn.ts';

/** What Postgres says about the slot. What it does not say is undefined, never 0 (I11). */
export interface SlotHealth {
  /** `reserved`, `extended`, `unreserved` or `lost`; the last means a data gap. */
  readonly walStatus: string | undefined;
  /** True while a connection reads the slot. */
  readonly isActive: boolean;
  readonly confirmedFlushLsn: Lsn | undefined;
  /** Oldest log that is kept for the slot; held by the oldest open transaction, not by us alone. */
  readonly restartLsn: Lsn | undefined;
  /** Log written beyond what the slot has confirmed. */
  readonly lagBytes: number | undefined;
  /** Log kept for the slot. */
  readonly retainedBytes: number | undefined;
  /** Log that can still be written before the slot is given up; undefined without `max_slot_wal_keep_size`; below 0 the next checkpoint may do it. */
  readonly safeBytes: number | undefined;
}

/** The server's row about a slot, as text: see `slotHealth`. */
export interface SlotHealthRow {
  readonly wal_status: string | null;
  readonly active: boolean;
  readonly confirmed_flush_lsn: string | null;
  readonly restart_lsn: string | null;
  readonly lag_bytes: string | null;
  readonly retained_bytes: string | null;
  readonly safe_wal_size: string | null;
}

/** A server in recovery writes no log, and refuses to say where it is in it: what was replayed is as far as it knows. */
const slotHealthSql = `
  select wal_status, active, confirmed_flush_lsn::text, restart_lsn::text, safe_wal_size::text,
    pg_wal_lsn_diff(here.lsn, confirmed_flush_lsn)::text as lag_bytes,
    pg_wal_lsn_diff(here.lsn, restart_lsn)::text as retained_bytes
  from pg_replication_slots,
    (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn) as here
  where slot_name = $1`;

/** Reads the slot's health; undefined if there is no such slot. Needs no privilege. Rejects if the server can't be asked. */
export async function readSlotHealth(
  client: ClientBase,
  slot: string,
): Promise<SlotHealth | undefined> {
  const { rows } = await client.query<SlotHealthRow>(slotHealthSql, [slot]);
  return rows[0] && slotHealth(rows[0]);
}

/** The row in our words. A difference is never below 0: the slot may confirm more than was flushed when it was measured. */
export function slotHealth(row: SlotHealthRow): SlotHealth {
  return {
    walStatus: row.wal_status ?? undefined,
    isActive: row.active,
    confirmedFlushLsn: toLsn(row.confirmed_flush_lsn),
    restartLsn: toLsn(row.restart_lsn),
    lagBytes: toBytes(row.lag_bytes),
    retainedBytes: toBytes(row.retained_bytes),
    safeBytes: row.safe_wal_size === null ? undefined : Number(row.safe_wal_size),
  };
}

function toLsn(text: string | null): Lsn | undefined {
  return text === null ? undefined : lsnFromText(text);
}

function toBytes(text: string | null): number | undefined {
  return text === null ? undefined : Math.max(0, Number(text));
}
