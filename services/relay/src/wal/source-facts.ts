import type { ClientBase } from 'pg';
import { lsnFromText, type Lsn } from './lsn.ts';
import type { OutboxTable } from './outbox-table.ts';

/** What the server is and what our role may do. */
export interface ServerFacts {
  /** As `server_version_num`: 180004 is 18.4. */
  readonly versionNumber: number;
  readonly isStandby: boolean;
  readonly walLevel: string;
  readonly maxWalSenders: number;
  readonly role: string;
  readonly mayReplicate: boolean;
  readonly database: string;
  readonly systemIdentifier: string;
}

/** The outbox as a table. */
export interface OutboxFacts {
  /** `pg_class.relkind`: `r` table, `p` partitioned, `v` view, … */
  readonly kind: string;
  /** True if the table or one of its partitions is unlogged or temporary: such rows are never in the log. */
  readonly isUnlogged: boolean;
  readonly columns: readonly { readonly name: string; readonly typeOid: number }[];
}

/** The publication, and what of the outbox it publishes. */
export interface PublicationFacts {
  readonly publishesInsert: boolean;
  readonly viaRoot: boolean;
  /** Undefined if the outbox, under its own name, is not published. */
  readonly outbox:
    | {
        readonly columns: readonly string[];
        readonly hasRowFilter: boolean;
      }
    | undefined;
}

/** The slot as it is. */
export interface SlotFacts {
  readonly kind: string;
  readonly plugin: string | null;
  readonly database: string | null;
  readonly isTemporary: boolean;
  readonly isTwoPhase: boolean;
  readonly activePid: number | null;
  /** Address of whoever holds it; null over a local socket, and where our role may not see it. */
  readonly activeAddress: string | null;
  /** `lost` means that log it needs is gone. */
  readonly walStatus: string | null;
  /** Why it was given up (17 and later), or null. */
  readonly invalidationReason: string | null;
  readonly confirmedFlushLsn: Lsn | undefined;
  /** How far the server had its log on disk afterwards; undefined on a standby. */
  readonly flushedLsn: Lsn | undefined;
}

/** All that is known before a stream is opened. */
export interface SourceFacts {
  readonly server: ServerFacts;
  readonly outbox: OutboxFacts | undefined;
  readonly publication: PublicationFacts | undefined;
  readonly slot: SlotFacts | undefined;
  /** System identifier of the server where a relay has recorded this slot; null if none has; undefined if the table of records is missing. */
  readonly recordedOn: string | null | undefined;
}

/** What is asked about. */
export interface SourceNames {
  readonly slot: string;
  readonly publication: string;
  readonly outbox: OutboxTable;
}

/** Reads everything, with a few quick questions and no privilege beyond SELECT on `relay_slot`. Rejects if the server refuses or can't be asked. */
export async function readSourceFacts(
  client: ClientBase,
  names: SourceNames,
): Promise<SourceFacts> {
  return {
    server: await readServer(client),
    outbox: await readOutbox(client, names.outbox),
    publication: await readPublication(client, names),
    slot: await readSlot(client, names.slot),
    recordedOn: await readRecordedOn(client, names),
  };
}

/**
 * RDS and Aurora give no role the attribute: they let the members of a role of theirs stream. Where there is no such role, nobody is a member.
 * Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.FeatureSupport.LogicalReplication.html
 */
const mayReplicateSql = `r.rolreplication or r.rolsuper or exists (
        select from pg_roles m where m.rolname = 'rds_replication' and pg_has_role(r.oid, m.oid, 'member'))`;

async function readServer(client: ClientBase): Promise<ServerFacts> {
  const { rows } = await client.query<{
    version: number;
    is_standby: boolean;
    wal_level: string;
    max_wal_senders: number;
    role: string;
    may_replicate: boolean;
    database: string;
    system_identifier: string;
  }>(`
    select current_setting('server_version_num')::int as version, pg_is_in_recovery() as is_standby,
      current_setting('wal_level') as wal_level, current_setting('max_wal_senders')::int as max_wal_senders,
      r.rolname::text as role, ${mayReplicateSql} as may_replicate, current_database()::text as database,
      (select system_identifier::text from pg_control_system()) as system_identifier
    from pg_roles r where r.rolname = current_user`);
  const row = single(rows);
  return {
    versionNumber: row.version,
    isStandby: row.is_standby,
    walLevel: row.wal_level,
    maxWalSenders: row.max_wal_senders,
    role: row.role,
    mayReplicate: row.may_replicate,
    database: row.database,
    systemIdentifier: row.system_identifier,
  };
}

async function readOutbox(
  client: ClientBase,
  { schema, name }: OutboxTable,
): Promise<OutboxFacts | undefined> {
  const { rows } = await client.query<{
    kind: string;
    is_unlogged: boolean;
    columns: { name: string; type_oid: number }[];
  }>(
    `
    select c.relkind::text as kind,
      c.relpersistence <> 'p' or exists (
        select from pg_partition_tree(c.oid) t join pg_class leaf on leaf.oid = t.relid
        where t.isleaf and leaf.relpersistence <> 'p'
      ) as is_unlogged,
      coalesce((
        select json_agg(json_build_object('name', a.attname, 'type_oid', a.atttypid::int8) order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ), '[]') as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    kind: row.kind,
    isUnlogged: row.is_unlogged,
    columns: row.columns.map((column) => ({ name: column.name, typeOid: column.type_oid })),
  };
}

/** Reads the publication; undefined if there is none of that name. */
export async function readPublication(
  client: ClientBase,
  { publication, outbox }: Pick<SourceNames, 'publication' | 'outbox'>,
): Promise<PublicationFacts | undefined> {
  const { rows } = await client.query<{
    publishes_insert: boolean;
    via_root: boolean;
    columns: string[] | null;
    has_row_filter: boolean;
  }>(
    `
    select p.pubinsert as publishes_insert, p.pubviaroot as via_root,
      t.attnames::text[] as columns, t.rowfilter is not null as has_row_filter
    from pg_publication p
    left join pg_publication_tables t on t.pubname = p.pubname and t.schemaname = $2 and t.tablename = $3
    where p.pubname = $1`,
    [publication, outbox.schema, outbox.name],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    publishesInsert: row.publishes_insert,
    viaRoot: row.via_root,
    outbox: row.columns ? { columns: row.columns, hasRowFilter: row.has_row_filter } : undefined,
  };
}

async function readSlot(client: ClientBase, slot: string): Promise<SlotFacts | undefined> {
  // All columns, since invalidation_reason is there from 17 on.
  const { rows } = await client.query<{
    plugin: string | null;
    slot_type: string;
    database: string | null;
    temporary: boolean;
    two_phase: boolean;
    active_pid: number | null;
    active_address: string | null;
    wal_status: string | null;
    confirmed_flush_lsn: string | null;
    invalidation_reason?: string | null;
    flushed_lsn: string | null;
  }>(
    `select s.*, host(a.client_addr) as active_address,
       case when pg_is_in_recovery() then null else pg_current_wal_flush_lsn() end::text as flushed_lsn
     from pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid where s.slot_name = $1`,
    [slot],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    kind: row.slot_type,
    plugin: row.plugin,
    database: row.database,
    isTemporary: row.temporary,
    isTwoPhase: row.two_phase,
    activePid: row.active_pid,
    activeAddress: row.active_address,
    walStatus: row.wal_status,
    invalidationReason: row.invalidation_reason ?? null,
    confirmedFlushLsn:
      row.confirmed_flush_lsn === null ? undefined : lsnFromText(row.confirmed_flush_lsn),
    flushedLsn: row.flushed_lsn === null ? undefined : lsnFromText(row.flushed_lsn),
  };
}

async function readRecordedOn(
  client: ClientBase,
  { slot, outbox }: SourceNames,
): Promise<string | null | undefined> {
  const table = slotTable(outbox);
  const { rows } = await client.query<{ exists: boolean }>(
    'select to_regclass($1) is not null as exists',
    [table],
  );
  if (!single(rows).exists) return undefined;
  const recorded = await client.query<{ system_identifier: string }>(
    `select system_identifier from ${table} where slot_name = $1`,
    [slot],
  );
  return recorded.rows[0]?.system_identifier ?? null;
}

/** The table where relays record the slots that they made, quoted; it is beside the outbox. */
export function slotTable({ schema }: OutboxTable): string {
  return `"${schema.replaceAll('"', '""')}".relay_slot`;
}

function single<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('the server gave no row where one was certain');
  return row;
}
