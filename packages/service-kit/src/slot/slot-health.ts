/** What Postgres says about a slot and what keeps its log. What it does not say is undefined, never 0 (I11). */
export interface SlotHealth {
  /** `reserved`, `extended`, `unreserved` or `lost`; the last means a data gap. */
  readonly walStatus: string | undefined;
  /** Why the slot was given up; from 17 on. */
  readonly invalidationReason: string | undefined;
  /** True while a connection reads the slot. */
  readonly isActive: boolean;
  readonly confirmedFlushLsn: string | undefined;
  /** Oldest log that is kept for the slot; held by the oldest open transaction, not by its reader alone. */
  readonly restartLsn: string | undefined;
  /** Where the log ends, counted from its beginning: it only falls where the server is another one, or was brought back. */
  readonly writtenBytes: number | undefined;
  /** Log written beyond what the slot has confirmed. */
  readonly lagBytes: number | undefined;
  /** Log kept for the slot. */
  readonly retainedBytes: number | undefined;
  /** Log that can still be written before the slot is given up; undefined without a limit; below 0 the next checkpoint may do it. */
  readonly safeBytes: number | undefined;
  /** The most log that the server keeps for a slot (`max_slot_wal_keep_size`); undefined without a limit. */
  readonly limitBytes: number | undefined;
  /** True if it has confirmed more than the log has: they were restored apart, and what commits before that position would be skipped. Undefined on a standby. */
  readonly isAhead: boolean | undefined;
  /** For so many transactions no dead row of a catalog can be removed. */
  readonly catalogXminAge: number | undefined;
  /** For how long nobody has read the slot; from 17 on, and undefined while somebody does. */
  readonly idleSeconds: number | undefined;
  /** After how long without a reader the server gives it up (`idle_replication_slot_timeout`, from 18 on); undefined if never. */
  readonly idleLimitSeconds: number | undefined;
  /** The oldest transaction of the server that has written something and is open. */
  readonly oldest: OpenTransaction | undefined;
}

/** A transaction that keeps log; never what it did. */
export interface OpenTransaction {
  /** Process of its session; undefined for a prepared transaction, which has none. */
  readonly pid: number | undefined;
  readonly application: string;
  /** Name of a prepared transaction. */
  readonly gid: string | undefined;
  /** Its number: a session has another transaction later. */
  readonly xid: string | undefined;
  /** Since its beginning; undefined where our role may not see it. */
  readonly seconds: number | undefined;
}

/** The server's row about a slot, as text: see `slotHealth`. */
export interface SlotHealthRow {
  readonly wal_status: string | null;
  readonly invalidation_reason: string | null;
  readonly active: boolean;
  readonly confirmed_flush_lsn: string | null;
  readonly restart_lsn: string | null;
  readonly written_bytes: string | null;
  readonly lag_bytes: string | null;
  readonly retained_bytes: string | null;
  readonly safe_wal_size: string | null;
  readonly limit_bytes: string | null;
  readonly is_ahead: boolean | null;
  readonly catalog_xmin_age: string | null;
  readonly idle_seconds: string | null;
  readonly idle_limit_seconds: string | null;
  readonly oldest_pid: number | null;
  readonly oldest_application: string | null;
  readonly oldest_gid: string | null;
  readonly oldest_xid: string | null;
  readonly oldest_seconds: string | null;
}

/** An expression in SQL: the most log that the server keeps for a slot, bytes; null without a limit. */
export const walLimitSql = `(select greatest(keep.setting::bigint, more.setting::bigint) * 1024 * 1024
       from pg_settings keep, pg_settings more
       where keep.name = 'max_slot_wal_keep_size' and keep.setting <> '-1' and more.name = 'wal_keep_size')`;

/**
 * $1: the slot. No row if there is none. Needs no privilege; without `pg_read_all_stats` the age of other people's transactions is not seen.
 * A server in recovery writes no log, and refuses to say where it is in it: what was replayed is as far as it knows. Columns that came with
 * later versions are looked for in the row, so that one statement serves all.
 */
export const slotHealthSql = `
  select s.wal_status, row_json ->> 'invalidation_reason' as invalidation_reason, s.active,
    s.confirmed_flush_lsn::text, s.restart_lsn::text, s.safe_wal_size::text,
    pg_wal_lsn_diff(here.lsn, '0/0')::text as written_bytes,
    pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn)::text as lag_bytes,
    pg_wal_lsn_diff(here.lsn, s.restart_lsn)::text as retained_bytes,
    ${walLimitSql}::text as limit_bytes,
    -- Among the columns, so asked for after the slot was read: the other way round a running relay would be ahead for a moment.
    case when pg_is_in_recovery() then null else s.confirmed_flush_lsn > pg_current_wal_flush_lsn() end as is_ahead,
    age(s.catalog_xmin)::text as catalog_xmin_age,
    extract(epoch from clock_timestamp() - (row_json ->> 'inactive_since')::timestamptz)::text as idle_seconds,
    extract(epoch from current_setting('idle_replication_slot_timeout', true)::interval)::text as idle_limit_seconds,
    oldest.pid as oldest_pid, oldest.application as oldest_application, oldest.gid as oldest_gid,
    oldest.xid as oldest_xid, oldest.seconds::text as oldest_seconds
  from pg_replication_slots s
    cross join lateral (select to_jsonb(s) as row_json) as columns
    cross join (
      select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn
    ) as here
    left join lateral (
      select pid, application, gid, xid, seconds from (
        select pid, application_name as application, null as gid, backend_xid::text as xid, age(backend_xid) as xid_age,
          extract(epoch from clock_timestamp() - xact_start) as seconds
        from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()
        union all
        select null, '', gid, transaction::text, age(transaction), extract(epoch from clock_timestamp() - prepared) from pg_prepared_xacts
      ) open order by xid_age desc limit 1
    ) as oldest on true
  where s.slot_name = $1`;

/** The row in our words. A difference is never below 0: the slot may confirm more than was flushed when it was measured. */
export function slotHealth(row: SlotHealthRow): SlotHealth {
  const idleLimit = toNumber(row.idle_limit_seconds);
  const isOldestKnown = row.oldest_pid !== null || row.oldest_gid !== null;
  return {
    walStatus: row.wal_status ?? undefined,
    invalidationReason: row.invalidation_reason ?? undefined,
    isActive: row.active,
    confirmedFlushLsn: row.confirmed_flush_lsn ?? undefined,
    restartLsn: row.restart_lsn ?? undefined,
    writtenBytes: toNumber(row.written_bytes),
    lagBytes: atLeastZero(row.lag_bytes),
    retainedBytes: atLeastZero(row.retained_bytes),
    safeBytes: toNumber(row.safe_wal_size),
    limitBytes: toNumber(row.limit_bytes),
    isAhead: row.is_ahead ?? undefined,
    catalogXminAge: toNumber(row.catalog_xmin_age),
    idleSeconds: row.active ? undefined : atLeastZero(row.idle_seconds),
    // 0 turns it off.
    idleLimitSeconds: idleLimit === 0 ? undefined : idleLimit,
    oldest: isOldestKnown
      ? {
          pid: row.oldest_pid ?? undefined,
          application: row.oldest_application ?? '',
          gid: row.oldest_gid ?? undefined,
          xid: row.oldest_xid ?? undefined,
          seconds: toNumber(row.oldest_seconds),
        }
      : undefined,
  };
}

function toNumber(text: string | null): number | undefined {
  return text === null ? undefined : Number(text);
}

function atLeastZero(text: string | null): number | undefined {
  return text === null ? undefined : Math.max(0, Number(text));
}
