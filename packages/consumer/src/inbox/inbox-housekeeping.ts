import type pg from 'pg';
import { inboxTableNames, type InboxTables } from './inbox-ddl.ts';

/**
 * Forgets what was seen longer ago than that, and gives the number of rows removed. What is forgotten is taken for new if it comes again: keep
 * ids (and versions, if they are given an age at all) longer than the topics keep events and longer than anyone sets a group back.
 * Rows go in chunks of 10,000, each its own transaction, so that a live consumer never waits long.
 * @param options.eventsOlderThanMs age of the ids of events without a version.
 * @param options.versionsOlderThanMs age of the last change of an entity; without it versions stay, one row for each entity.
 */
export async function inboxHousekeeping(
  pool: pg.Pool,
  options: InboxTables & {
    readonly eventsOlderThanMs: number;
    readonly versionsOlderThanMs?: number;
    readonly signal?: AbortSignal;
  },
): Promise<{ readonly events: number; readonly versions: number }> {
  const { eventsOlderThanMs, versionsOlderThanMs, signal } = options;
  const names = inboxTableNames(options);
  const events = await remove(pool, names.event, 'eid', eventsOlderThanMs, signal);
  const versions =
    versionsOlderThanMs === undefined
      ? 0
      : await remove(pool, names.version, 'key', versionsOlderThanMs, signal);
  return { events, versions };
}

async function remove(
  pool: pg.Pool,
  table: string,
  id: 'eid' | 'key',
  olderThanMs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let total = 0;
  for (;;) {
    if (signal?.aborted) return total;
    // The age is asked of the row again after the lock: a consumer may have renewed it since.
    const { rowCount } = await pool.query(
      `delete from ${table} where (consumer, data_type, ${id}) in (
         select consumer, data_type, ${id} from ${table} where seen_at < now() - $1 * interval '1 millisecond'
         order by seen_at limit 10000 for update skip locked
       ) and seen_at < now() - $1 * interval '1 millisecond'`,
      [olderThanMs],
    );
    total += rowCount ?? 0;
    if ((rowCount ?? 0) < 10_000) return total;
  }
}
