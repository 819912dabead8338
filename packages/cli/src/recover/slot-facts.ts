import { walLimitSql } from '@outbound/service-kit';
import type pg from 'pg';
import type { SlotFacts } from './slot-verdict.ts';

/** Asks the server about the slot, its record and the asking role. */
export async function readSlotFacts(client: pg.ClientBase, slot: string): Promise<SlotFacts> {
  const { rows } = await client.query<{
    wal_level: string;
    role: string;
    may_replicate: boolean;
    is_recorded: boolean;
    database: string;
    limit_bytes: string | null;
    version_number: number;
  }>(
    `select current_setting('wal_level') as wal_level, current_setting('server_version_num')::int as version_number, current_database()::text as database, ${walLimitSql} as limit_bytes,
       r.rolname::text as role, r.rolreplication or r.rolsuper
       -- RDS and Aurora give membership instead of the attribute.
       or exists (select from pg_roles m where m.rolname = 'rds_replication' and pg_has_role(r.oid, m.oid, 'member')) as may_replicate,
       exists (select from relay_slot where slot_name = $1) as is_recorded
     from pg_roles r where r.rolname = current_user`,
    [slot],
  );
  // All columns, since invalidation_reason and failover are there from 17 on.
  const slots = await client.query<{
    slot_type: string;
    plugin: string | null;
    database: string | null;
    active_pid: number | null;
    wal_status: string | null;
    invalidation_reason?: string | null;
    failover?: boolean;
    is_ahead: boolean | null;
  }>(
    `select *, confirmed_flush_lsn > case when pg_is_in_recovery() then null else pg_current_wal_flush_lsn() end as is_ahead
     from pg_replication_slots where slot_name = $1`,
    [slot],
  );
  const row = rows[0];
  const found = slots.rows[0];
  return {
    slot,
    walLevel: row?.wal_level ?? 'unknown',
    role: row?.role ?? 'unknown',
    mayReplicate: row?.may_replicate === true,
    isRecorded: row?.is_recorded === true,
    database: row?.database ?? 'unknown',
    versionNumber: row?.version_number ?? 0,
    limitBytes: row?.limit_bytes == null ? undefined : Number(row.limit_bytes),
    existing: found && {
      kind: found.slot_type,
      plugin: found.plugin,
      database: found.database,
      activePid: found.active_pid,
      walStatus: found.wal_status,
      invalidationReason: found.invalidation_reason ?? null,
      isFailover: found.failover === true,
      isAhead: found.is_ahead === true,
    },
  };
}
