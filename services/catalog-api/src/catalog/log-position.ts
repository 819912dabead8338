import { setTimeout as delay } from 'node:timers/promises';
import { getTableName } from 'drizzle-orm';
import type pg from 'pg';
import { ApiError } from '../errors.ts';
import type { Aggregate } from './aggregate.ts';

/** What of a connection is needed here. */
type Asked = Pick<pg.ClientBase, 'query'>;

/** Where the log is. */
export interface LogPosition {
  /** `16/B374D848` */
  readonly position: string;
  /** When, by the server's clock, RFC 3339. */
  readonly at: string;
}

/** How often the server is asked whether the writers have ended. */
const pollMs = 10;

/**
 * A position of the write-ahead log before which nothing is missing: every change of the aggregate's table whose commit stands before it is visible to each snapshot that is taken after
 * this has resolved. Whatever stands behind it may be visible too.
 *
 * To read the position and then take a snapshot is not enough: a commit is in the log before it is visible, by a flush of the disk, or for as long as a synchronous standby takes. So all who write the
 * table at the moment after the reading are waited for, as CREATE INDEX CONCURRENTLY does; a lock is given back after the change is visible. Nobody waits for us.
 * @param longestMs longer than a writing transaction may take.
 * @returns the position as Postgres writes it, which compares with the commit position in the header `source_lsn` of events; and the time of its reading.
 * @throws ApiError UNAVAILABLE if a writer does not end in time.
 */
export async function settledPosition(
  client: Asked,
  { table, plural }: Pick<Aggregate, 'table' | 'plural'>,
  longestMs: number,
): Promise<LogPosition> {
  const name = getTableName(table);
  const { rows } = await client.query<{ position: string; at: Date }>(
    'select pg_current_wal_insert_lsn()::text as position, clock_timestamp() as at',
  );
  const [read] = rows;
  if (read === undefined) throw new Error('Postgres gave no position');
  const found = { position: read.position, at: read.at.toISOString() };
  const deadline = performance.now() + longestMs;
  let waitedFor: ReadonlySet<string> | undefined;
  for (;;) {
    const now = await writersOf(client, name);
    const before = waitedFor;
    waitedFor = before === undefined ? now : new Set([...now].filter((one) => before.has(one)));
    if (waitedFor.size === 0) return found;
    if (performance.now() > deadline)
      throw new ApiError(
        'UNAVAILABLE',
        `A change of ${plural} that began before this request does not end, so no exact position can be named. Nothing was read; try again.`,
        { retryAfterSeconds: 5 },
      );
    await delay(pollMs);
  }
}

/** The transactions that have changed the table or may do so, by names of their own; also prepared ones, which have no process. */
async function writersOf(client: Asked, table: string): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ writer: string }>(
    `select concat_ws(' ', virtualtransaction, pid) as writer
       from pg_locks
      where locktype = 'relation' and granted
        and database = (select oid from pg_database where datname = current_database())
        and relation = $1::regclass
        and mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`,
    [table],
  );
  return new Set(rows.map(({ writer }) => writer));
}
