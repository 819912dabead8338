import { inTransaction } from '@outbound/outbox';
import { searchProgressTable } from '@outbound/schemas';
import { eq, getTableName, sql, type SQL } from 'drizzle-orm';
import type { Aggregate, Search } from './aggregate.ts';
import { documentOf } from './search-query.ts';
import { transactionOptions, type CommandContext } from './unit-of-work.ts';

const firstId = '00000000-0000-0000-0000-000000000000';

interface Progress {
  readonly changedIn: string;
  readonly id: string;
  /** Set while everything is read once, whatever its number: where to go on after that. */
  readonly until: string | null;
}

/** What one step did. */
export interface IndexStep {
  readonly count: number;
  /** There was nothing more to read. False too while another instance is at it. */
  readonly isDone: boolean;
}

/**
 * Brings into the search what was changed since the last time, at most `limit` entities. Words of what is deleted, or has others now, go.
 *
 * It reads the changes as any caller may (`changes-horizon.ts`), so it misses none; its place in them is kept in the transaction that writes what it read. The first time, and in a
 * server whose transactions are counted anew (a copy of the rows), it reads everything. One instance at a time does it, the others have nothing to do.
 */
export async function indexChanges(
  context: Pick<CommandContext, 'db' | 'timeouts'>,
  aggregate: Aggregate & { readonly search: Search },
  limit: number,
): Promise<IndexStep> {
  const { table, name: entity } = aggregate;
  return inTransaction(
    context.db,
    async ({ tx }) => {
      const { rows: lock } = await tx.execute<{ taken: boolean }>(
        sql`select pg_try_advisory_xact_lock(hashtext(${`search ${entity}`})) as taken`,
      );
      if (lock[0]?.taken !== true) return { count: 0, isDone: false };
      // Before the rows, see `readHorizon`. This transaction has no number yet.
      const { rows: facts } = await tx.execute<{ system: string; before: string }>(sql`
        select system_identifier::text as system, pg_snapshot_xmin(pg_current_snapshot())::text as before from pg_control_system()`);
      const { system = '', before = '' } = facts[0] ?? {};
      const [known] = await tx
        .select()
        .from(searchProgressTable)
        .where(eq(searchProgressTable.entity, entity));
      const from: Progress =
        known?.systemIdentifier === system ? known : { changedIn: '0', id: firstId, until: before };
      const bound = from.until === null ? sql` and ${table.changedIn} < ${before}::xid8` : sql``;
      const { rows } = await tx.execute<{ id: string; changed_in: string }>(
        writeChanges(aggregate, from, bound, limit),
      );
      const count = rows.length;
      const last = rows[count - 1];
      const isFull = count === limit && last !== undefined;
      const to: Progress = isFull
        ? { changedIn: last.changed_in, id: last.id, until: from.until }
        : { changedIn: from.until ?? before, id: firstId, until: null };
      // While nothing changes, nothing is written.
      if (count > 0 || from.until !== null) {
        const values = { ...to, systemIdentifier: system };
        await tx
          .insert(searchProgressTable)
          .values({ entity, ...values })
          .onConflictDoUpdate({ target: searchProgressTable.entity, set: values });
      }
      return { count, isDone: !isFull && from.until === null };
    },
    await transactionOptions(context),
  );
}

/** Reads the next changes and writes their words, in one statement; gives what it read, in order. */
function writeChanges(
  { table, search }: Aggregate & { readonly search: Search },
  from: Progress,
  bound: SQL,
  limit: number,
): SQL {
  const found = sql.identifier(getTableName(search.table));
  const document = documentOf(search);
  return sql`
    with changed as materialized (
      select ${table.id} as id, ${table.changedIn} as changed_in, ${table.deletedAt} is null as is_live,
        case when ${table.deletedAt} is null then ${document} end as document
      from ${table}
      where (${table.changedIn}, ${table.id}) > (${from.changedIn}::xid8, ${from.id}::uuid)${bound}
      order by ${table.changedIn}, ${table.id} limit ${limit}
    ), gone as (
      delete from ${found} using changed where ${found}.id = changed.id and not changed.is_live
    ), kept as (
      insert into ${found} (id, document) select id, document from changed where is_live
      on conflict (id) do update set document = excluded.document where ${found}.document <> excluded.document
    )
    select id, changed_in::text as changed_in from changed order by changed.changed_in, id`;
}
