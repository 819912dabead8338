import { inTransaction, type Database, type StoredAggregate } from '@outbound/outbox';
import { isJsonObject } from '@outbound/contract';
import { PipelineError } from '@outbound/service-kit';
import { eq } from 'drizzle-orm';
import { emitSnapshots } from '../snapshots/emit-snapshots.ts';
import type { EntityIndex } from './entity-index.ts';
import type { DifferenceKind } from './entity-states.ts';
import { dataOf } from './read-record.ts';
import type { Verdict } from './findings.ts';

const chunkLength = 500;
/** Values of ghosts are kept while they are repaired; so many at once. */
const maxGhosts = 1_000;

/** What an event can put right, through the outbox. */
const repairable: readonly DifferenceKind[] = [
  'missing',
  'stale',
  'altered',
  'undeleted',
  'unreadable',
  'ghost',
];

/** What a repair did. */
export interface Repaired {
  /** S events. */
  readonly snapshots: number;
  /** D events of deleted rows. */
  readonly deletions: number;
  /** D events of keys that have no row. */
  readonly ghosts: number;
  /**
   * Keys that had no row when they were verified and got no event: no version 7 UUID, a value that does not follow its
   * declaration, or a row that came meanwhile.
   */
  readonly leftAlone: number;
}

/** How many entities an event can put right, and how many it cannot. */
export function repairPreview({ findings }: Verdict): { repairable: number; not: number } {
  const sum = (kinds: readonly DifferenceKind[]) =>
    kinds.reduce((total, kind) => total + findings[kind].count, 0);
  return { repairable: sum(repairable), not: sum(['ahead', 'misplaced']) };
}

/**
 * Emits what makes the topic say what the table says, through the outbox, in chunks: an S event for a row that lives, a
 * D event for one that is deleted, as they are when
 * they are locked: so a verdict that has become old does no harm. What an event cannot put right is left alone:
 * - `ahead`: an S event would put a lower version after a higher one, which consumers rightly ignore (I3). Raise the
 * row's version above the record's, then repair.
 * - `misplaced`: an event goes to the key's own partition.
 *
 * **Ghosts without a row** have nothing that could be locked. Their value, if it follows the declaration, is emitted as
 * a D event with the version after its own, in a
 * transaction that has just seen that there is no row. An entity that a client creates under that very id in that very
 * moment would be followed by our tombstone: the verification that follows a
 * repair finds it missing, and the next repair puts it back. (The only sure guard, an insert of that id, needs rights
 * that nobody at the command line should have.)
 * @param valuesOf the last values of these keys in the topic.
 */
export async function repair(
  db: Database,
  aggregate: StoredAggregate,
  index: EntityIndex,
  valuesOf: (keys: ReadonlySet<string>) => Promise<ReadonlyMap<string, Buffer>>,
  onProgress: (done: Repaired) => Promise<void>,
): Promise<Repaired> {
  const done = { snapshots: 0, deletions: 0, ghosts: 0, leftAlone: 0 };
  const rowless: string[] = [];
  const ids: string[] = [];
  for (const kind of repairable)
    for (const entry of index.marked(kind)) {
      const key = index.keyOf(entry);
      if (key === undefined || index.isForeign(entry)) done.leftAlone += 1;
      else ids.push(key);
    }
  for (let at = 0; at < ids.length; at += chunkLength) {
    const emitted = await emitSnapshots(db, aggregate, ids.slice(at, at + chunkLength));
    done.snapshots += emitted.snapshots;
    done.deletions += emitted.deletions;
    rowless.push(...emitted.missing);
    await onProgress(done);
  }
  for (let at = 0; at < rowless.length; at += maxGhosts) {
    const values = await valuesOf(new Set(rowless.slice(at, at + maxGhosts)));
    for (const [id, value] of values) done[await deleteGhost(db, aggregate, id, value)] += 1;
    await onProgress(done);
  }
  return done;
}

/** @returns what to count it as. One whose row came meanwhile is left alone: its own events say what it is. */
async function deleteGhost(
  db: Database,
  { table, eventType }: StoredAggregate,
  id: string,
  value: Buffer,
): Promise<'ghosts' | 'leftAlone'> {
  const data = dataOf(value);
  if (!isJsonObject(data) || typeof data['version'] !== 'number') return 'leftAlone';
  const version = data['version'] + 1;
  if (!Number.isSafeInteger(version)) return 'leftAlone';
  try {
    return await inTransaction(db, async ({ tx, emit }) => {
      const [row] = await tx.select({ id: table.id }).from(table).where(eq(table.id, id));
      if (row) return 'leftAlone';
      await emit(eventType, {
        aggregateId: id,
        version,
        dataOp: 'D',
        data: { ...data, version },
      });
      return 'ghosts';
    });
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'EVENT_INVALID') throw thrown;
    return 'leftAlone';
  }
}
