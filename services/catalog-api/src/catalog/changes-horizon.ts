import { createHash } from 'node:crypto';
import type { Transaction } from '@outbound/outbox';
import { getTableName, sql } from 'drizzle-orm';
import { ApiError } from '../errors.ts';
import type { Aggregate } from './aggregate.ts';

/** How far changes can be read so that nothing comes in behind. */
export interface ChangesHorizon {
  /** All transactions below have ended, and what they committed is seen by whoever looks from now on. */
  readonly before: string;
  /** Names the server's history, in which transactions are counted anew, and the table: one that was restored beside it or in its place has the same count, and is another. */
  readonly history: string;
}

/**
 * Reads it. **Order**: before the rows. A transaction has its number before it writes its first row and is open until its commit is seen by all, so a number below that of the oldest
 * open one has nothing more to come (`pg_snapshot_xmin`). No clock has a part in it. A long transaction, of any database of the server, keeps it where it is: readers get those
 * changes later, and all of them.
 */
export async function readHorizon(
  db: Pick<Transaction, 'execute'>,
  { table }: Pick<Aggregate, 'table'>,
): Promise<ChangesHorizon> {
  const { rows } = await db.execute<{
    before: string;
    system: string;
    timeline: string;
    relation: string;
  }>(sql`
    select pg_snapshot_xmin(pg_current_snapshot())::text as before,
      (select system_identifier::text from pg_control_system()) as system,
      case when pg_is_in_recovery() then '' else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as timeline,
      (select oid from pg_database where datname = current_database()) || '/' || ${getTableName(table)}::regclass::oid as relation`);
  const [row] = rows;
  if (row === undefined) throw new Error('the server says nothing of its transactions');
  const history = createHash('sha256')
    .update(`${row.system}/${row.timeline}/${row.relation}`)
    .digest('base64url');
  return { before: row.before, history: history.slice(0, 8) };
}

/** @throws ApiError INVALID_CURSOR if the place was found in another history, in which what was read may never have been. */
export function assertSameHistory(history: string, now: ChangesHorizon): void {
  if (history === now.history) return;
  throw new ApiError(
    'INVALID_CURSOR',
    'The cursor is from before the database was restored, moved or failed over, and changes are counted anew since then. Begin again with an updated_after from before that, and take what you get a second time.',
    { violations: [{ in: 'query', pointer: '/cursor', message: 'of another history' }] },
  );
}
