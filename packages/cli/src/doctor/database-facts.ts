import type pg from 'pg';

/** What the server says about everything that the pipeline needs of it. Null: it may not be seen, or is not there. */
export interface DatabaseFacts {
  readonly version_number: number;
  readonly version: string;
  readonly is_standby: boolean;
  readonly wal_level: string;
  readonly max_replication_slots: number;
  readonly used_replication_slots: number;
  readonly max_wal_senders: number;
  readonly used_wal_senders: number;
  /** `-1` is no limit. */
  readonly max_slot_wal_keep_size: string;
  readonly role: string;
  readonly sees_others: boolean;
  /** Milliseconds since 1970 by the server. */
  readonly server_ms: number;
  readonly roles: readonly {
    readonly name: string;
    readonly can_login: boolean;
    readonly can_replicate: boolean;
  }[];
  readonly publication: {
    readonly inserts: boolean;
    readonly via_root: boolean;
    readonly covers_outbox: boolean;
    readonly has_filter: boolean;
  } | null;
  readonly slot: {
    readonly slot_type: string;
    readonly plugin: string | null;
    readonly database: string | null;
    readonly active: boolean;
    readonly wal_status: string | null;
    /** It has confirmed more than the log has. */
    readonly is_ahead: boolean | null;
  } | null;
  readonly database: string;
  readonly has_outbox: boolean;
  readonly is_slot_recorded: boolean | null;
  /** What a role lacks, as `outbound_api: insert on outbox`. */
  readonly missing_grants: readonly string[];
}

/**
 * Reads the facts. Tables that are not there are no error: a database before its first migration is worth a look too.
 */
export async function readDatabaseFacts(
  pool: pg.Pool,
  names: { readonly slot: string; readonly publication: string },
): Promise<DatabaseFacts> {
  const { rows } = await pool.query<
    Omit<DatabaseFacts, 'has_outbox' | 'is_slot_recorded' | 'missing_grants'> & {
      tables: readonly string[];
    }
  >(
    `select current_setting('server_version_num')::int as version_number, current_setting('server_version') as version,
       pg_is_in_recovery() as is_standby, current_setting('wal_level') as wal_level,
       current_setting('max_replication_slots')::int as max_replication_slots,
       (select count(*)::int from pg_replication_slots) as used_replication_slots,
       current_setting('max_wal_senders')::int as max_wal_senders,
       (select count(*)::int from pg_stat_get_wal_senders()) as used_wal_senders,
       current_setting('max_slot_wal_keep_size') as max_slot_wal_keep_size,
       current_user::text as role, pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_others,
       (extract(epoch from clock_timestamp()) * 1000)::float8 as server_ms, current_database()::text as database,
       (select coalesce(json_agg(json_build_object('name', rolname, 'can_login', rolcanlogin, 'can_replicate', rolreplication or rolsuper or exists (
             -- RDS and Aurora give membership instead of the attribute.
             select from pg_roles m where m.rolname = 'rds_replication' and pg_has_role(r.oid, m.oid, 'member')))), '[]')
          from pg_roles r where rolname in ('outbound_api', 'outbound_relay', 'outbound_operator')) as roles,
       (select json_build_object('inserts', p.pubinsert, 'via_root', p.pubviaroot, 'covers_outbox', t.pubname is not null, 'has_filter', t.rowfilter is not null)
          from pg_publication p left join pg_publication_tables t
            on t.pubname = p.pubname and t.schemaname = 'public' and t.tablename = 'outbox'
          where p.pubname = $2) as publication,
       (select json_build_object('slot_type', slot_type, 'plugin', plugin, 'database', database, 'active', active, 'wal_status', wal_status,
             'is_ahead', case when pg_is_in_recovery() then null else confirmed_flush_lsn > pg_current_wal_flush_lsn() end)
          from pg_replication_slots where slot_name = $1) as slot,
       (select coalesce(array_agg(relname::text), '{}') from pg_class
          where relnamespace = 'public'::regnamespace and relname in ('outbox', 'relay_slot')) as tables`,
    [names.slot, names.publication],
  );
  const [row] = rows;
  if (!row) throw new Error('the server gave no row about itself');
  const { tables, ...facts } = row;
  return {
    ...facts,
    // The process makes json columns text, so that payloads stay as they are (@outbound/outbox).
    roles: parsed(facts.roles),
    publication: parsed(facts.publication),
    slot: parsed(facts.slot),
    has_outbox: tables.includes('outbox'),
    is_slot_recorded: tables.includes('relay_slot') ? await isRecorded(pool, names.slot) : null,
    missing_grants: tables.length === 2 ? await missingGrants(pool) : [],
  };
}

function parsed<Value>(value: Value): Value {
  return typeof value === 'string' ? (JSON.parse(value) as Value) : value;
}

async function isRecorded(pool: pg.Pool, slot: string): Promise<boolean | null> {
  return pool.query('select from relay_slot where slot_name = $1', [slot]).then(
    ({ rowCount }) => rowCount === 1,
    // It may not be seen.
    () => null,
  );
}

async function missingGrants(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ missing: string }>(`
    select g.grantee || ': ' || g.privilege || ' on ' || g.relation as missing
    from (values
      ('outbound_api', 'outbox', 'insert'), ('outbound_relay', 'relay_slot', 'select'),
      ('outbound_relay', 'relay_slot', 'insert'), ('outbound_operator', 'outbox', 'select'),
      ('outbound_operator', 'outbox', 'insert')
    ) as g (grantee, relation, privilege)
    join pg_roles r on r.rolname = g.grantee
    where not has_any_column_privilege(r.oid, 'public.' || g.relation, g.privilege)`);
  return rows.map(({ missing }) => missing);
}
