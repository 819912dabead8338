import {
  inTransaction,
  type Database,
  type Transaction,
  type StoredAggregate,
} from '@outbound/outbox';
import { PipelineError } from '@outbound/service-kit';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { emitSnapshots } from '../snapshots/emit-snapshots.ts';
import { discardAllRow } from './letter-plan.ts';
import type { WaitingKey } from './waiting-keys.ts';

/** What was written for a key. */
export interface DiscardedKey {
  /** Events of the entity's present state: one, or none if there is no row. */
  readonly snapshots: number;
  /** Why its present state cannot be published either; then nothing comes in place of the letters. */
  readonly unpublished: string | undefined;
}

/**
 * Gives all letters of a key up, and behind that emits what the entity is now (`aggregate`: where that is known), in
 * one transaction: so a key is never free without its present state, whatever happens in between. A state that cannot
 * be published, since it is too large, keeps nobody from giving the letters up.
 * @throws PipelineError WRITE_CONFLICT, or what the database throws; then nothing was written.
 */
export async function discardKey(
  db: Database,
  key: WaitingKey,
  aggregate: StoredAggregate | undefined,
): Promise<DiscardedKey> {
  const giveUp = async (tx: Transaction): Promise<unknown> => {
    const { id, aggregatetype, aggregateid, type, version, data_op, payload, headers } =
      discardAllRow(key, uuidv7());
    return tx.execute(sql`select public.outbox_redrive(array[${id}]::uuid[], array[${aggregatetype}]::text[], array[${aggregateid}]::text[],
      array[${type}]::text[], array[${version}]::bigint[], array[${data_op}]::text[], array[${payload}]::text[], array[${headers}]::text[])`);
  };
  const alone = async (unpublished?: string): Promise<DiscardedKey> => {
    await inTransaction(db, async ({ tx }) => giveUp(tx));
    return { snapshots: 0, unpublished };
  };
  if (!aggregate) return alone();
  try {
    const emitted = await emitSnapshots(db, aggregate, [key.aggregateId], giveUp);
    return { snapshots: emitted.snapshots + emitted.deletions, unpublished: undefined };
  } catch (thrown) {
    const isOfTheState =
      thrown instanceof PipelineError &&
      (thrown.code === 'EVENT_TOO_LARGE' || thrown.code === 'EVENT_INVALID');
    if (!isOfTheState) throw thrown;
    return alone(thrown.message);
  }
}
