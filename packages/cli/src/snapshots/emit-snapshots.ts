import {
  inTransaction,
  type Database,
  type Transaction,
  type Row,
  type StoredAggregate,
} from '@outbound/outbox';
import { asc, inArray } from 'drizzle-orm';

/** What was emitted for a list of ids. */
export interface EmittedSnapshots {
  /** S events: rows that live. */
  readonly snapshots: number;
  /** D events: rows that are deleted, so that a compacted topic has their tombstone. */
  readonly deletions: number;
  /** Ids that have no row; nothing was emitted for them. */
  readonly missing: readonly string[];
}

/**
 * Emits what each of these entities is now, all in one transaction: an S event for a row that lives, a D event for a
 * deleted one, both
 * with the row's current version. Gives what was emitted, after the commit. An id that is there twice counts once.
 *
 * **Order**: the rows are locked, in id order as every command locks them (no deadlock), before they are read, and stay
 * locked until
 * the events are committed. So an event says the row's newest state, the next version is committed after it, and an old
 * state never follows a newer one (I3, I4). Changes nothing of the row: a snapshot is no change, so the version stays.
 * `first` is done in the same transaction, before anything is emitted, also if no row is found.
 * @throws PipelineError EVENT_INVALID if a row does not follow its declaration; WRITE_CONFLICT; then nothing was
 * emitted.
 */
export async function emitSnapshots(
  db: Database,
  aggregate: StoredAggregate,
  ids: readonly string[],
  first?: (tx: Transaction) => Promise<unknown>,
): Promise<EmittedSnapshots> {
  const { table, eventType } = aggregate;
  const wanted = new Set(ids);
  // What is no id of this table (a key that a stranger wrote) has no row; the server would refuse the whole statement
  // for it.
  const possible = [...wanted].filter((id) => table.id.getSQLType() !== 'uuid' || isUuid(id));
  if (possible.length === 0 && !first) return { snapshots: 0, deletions: 0, missing: [...wanted] };
  return inTransaction(db, async ({ tx, emit }) => {
    const rows: Row[] = await tx
      .select()
      .from(table)
      .where(inArray(table.id, possible))
      .orderBy(asc(table.id))
      .for('update');
    await first?.(tx);
    const missing = new Set(wanted);
    let deletions = 0;
    for (const row of rows) {
      const entity = aggregate.toEntity(row);
      const isDeleted = row['deletedAt'] !== null;
      await emit(eventType, {
        aggregateId: entity.id,
        version: entity.version,
        dataOp: isDeleted ? 'D' : 'S',
        data: entity,
      });
      missing.delete(entity.id);
      if (isDeleted) deletions += 1;
    }
    return { snapshots: rows.length - deletions, deletions, missing: [...missing] };
  });
}

/** As Postgres prints it: another spelling would find the row, but it is another record key. */
function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
