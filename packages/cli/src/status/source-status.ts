import type pg from 'pg';

export interface PublicationStatus {
  readonly name: string;
  readonly covers_outbox: boolean;
}

/** @returns undefined if there is no such publication. */
export async function readPublicationStatus(
  pool: pg.Pool,
  publication: string,
): Promise<PublicationStatus | undefined> {
  const { rows } = await pool.query<PublicationStatus>(
    `select p.pubname::text as name, p.pubinsert and exists (
       select from pg_publication_tables t
       where t.pubname = p.pubname and t.schemaname = 'public' and t.tablename = 'outbox'
     ) as covers_outbox
     from pg_publication p where p.pubname = $1`,
    [publication],
  );
  return rows[0];
}

export interface OutboxStatus {
  /** Daily partitions, past and ahead. */
  readonly partitions: number;
  /** Whole days from now that have a partition. */
  readonly days_ahead: number | null;
  /** By the server's statistics; null where they are missing. */
  readonly rows_estimate: number | null;
  readonly oldest_row_at: string | null;
  readonly newest_row_at: string | null;
  /** The oldest partition to which something may still be committed; null if there is none. */
  readonly oldest_unsealed: {
    readonly name: string;
    readonly rows_estimate: number | null;
    readonly oldest_row_at: string | null;
    readonly oldest_row_seconds: number | null;
  } | null;
  /** True if rows are where housekeeping never drops them. */
  readonly default_has_rows: boolean;
}

/** Rejects if the outbox is not there or may not be read. */
export async function readOutboxStatus(pool: pg.Pool): Promise<OutboxStatus> {
  const { rows } = await pool.query<{
    partitions: number;
    days_ahead: number | null;
    live_rows: number | null;
    oldest_row_at: string | null;
    newest_row_at: string | null;
    default_has_rows: boolean;
    unsealed: string | null;
    unsealed_live_rows: number | null;
    unsealed_oldest_row_at: string | null;
    unsealed_oldest_row_seconds: number | null;
  }>(
    `with unsealed as (
       select partition_name, lower_bound, upper_bound from outbox_partition p
       where not exists (select from outbox_seal s where s.partition_name = p.partition_name)
       order by lower_bound limit 1
     ), first_row as (
       select min(o.created_at) as at from outbox o, unsealed u
       where o.created_at >= u.lower_bound and o.created_at < u.upper_bound
     ), live as (
       select i.inhrelid, pg_stat_get_live_tuples(i.inhrelid) as count
       from pg_inherits i where i.inhparent = 'public.outbox'::regclass
     )
     select
       (select count(*)::int from outbox_partition) as partitions,
       (select floor(extract(epoch from max(upper_bound) - now()) / 86400)::int from outbox_partition) as days_ahead,
       (select sum(count)::float8 from live) as live_rows,
       (select min(created_at) from outbox)::timestamptz(3)::text as oldest_row_at,
       (select max(created_at) from outbox)::timestamptz(3)::text as newest_row_at,
       exists (select from outbox_partition) and exists (
         select from outbox where tableoid = to_regclass('public.outbox_default')
       ) as default_has_rows,
       (select partition_name from unsealed) as unsealed,
       (select l.count::float8 from live l, unsealed u where l.inhrelid = to_regclass('public.' || quote_ident(u.partition_name))) as unsealed_live_rows,
       (select at from first_row)::timestamptz(3)::text as unsealed_oldest_row_at,
       (select extract(epoch from now() - at)::float8 from first_row) as unsealed_oldest_row_seconds`,
  );
  const [row] = rows;
  if (!row) throw new Error('the server gave no row about the outbox');
  return {
    partitions: row.partitions,
    days_ahead: row.days_ahead,
    rows_estimate: estimate(row.live_rows, row.oldest_row_at),
    oldest_row_at: iso(row.oldest_row_at),
    newest_row_at: iso(row.newest_row_at),
    oldest_unsealed:
      row.unsealed === null
        ? null
        : {
            name: row.unsealed,
            rows_estimate: estimate(row.unsealed_live_rows, row.unsealed_oldest_row_at),
            oldest_row_at: iso(row.unsealed_oldest_row_at),
            oldest_row_seconds: row.unsealed_oldest_row_seconds,
          },
    default_has_rows: row.default_has_rows,
  };
}

/** Statistics are lost in a crash: none of them beside a row that is there means unknown. */
function estimate(liveRows: number | null, oldestRowAt: string | null): number | null {
  if (oldestRowAt === null) return 0;
  return liveRows === null || liveRows === 0 ? null : liveRows;
}

export interface OperationStatus {
  readonly id: string;
  readonly verb: string;
  readonly actor: string;
  readonly started_at: string;
  /** Null: it runs, or was killed. */
  readonly ended_at: string | null;
  readonly outcome: string | null;
  readonly progress: unknown;
}

/** Operations without an end, and the last five. */
export async function readOperations(pool: pg.Pool): Promise<readonly OperationStatus[]> {
  const { rows } = await pool.query<OperationStatus & { progress: string | null }>(
    `select id, verb, actor, started_at::text, ended_at::text, outcome, progress::text
     from operation
     where ended_at is null or id in (select id from operation order by started_at desc limit 5)
     order by operation.started_at desc limit 20`,
  );
  return rows.map((row) => ({
    ...row,
    started_at: new Date(row.started_at).toISOString(),
    ended_at: iso(row.ended_at),
    progress: row.progress === null ? null : (JSON.parse(row.progress) as unknown),
  }));
}

/** A moment as JSON has it. */
function iso(text: string | null): string | null {
  return text === null ? null : new Date(text).toISOString();
}
