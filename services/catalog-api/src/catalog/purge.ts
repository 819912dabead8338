import { inTransaction } from '@outbound/outbox';
import { and, inArray, isNotNull, isNull, lt } from 'drizzle-orm';
import type { Aggregate } from './aggregate.ts';
import { transactionOptions, type CommandContext } from './unit-of-work.ts';

/**
 * Drops the data of at most `limit` entities that were deleted before `before`, the longest ago first, and gives how many those were. Id and version stay, so that an entity
 * which is created again under its id goes on with its count (I3); nothing is published, since nothing of it is known to anybody any more.
 * Rows that somebody else has locked are left for the next time.
 */
export async function purgeDeleted(
  context: Pick<CommandContext, 'db' | 'timeouts'>,
  aggregate: Aggregate,
  before: Date,
  limit: number,
): Promise<number> {
  const { table } = aggregate;
  return inTransaction(
    context.db,
    async ({ tx }) => {
      const due = tx
        .select({ id: table.id })
        .from(table)
        .where(and(isNotNull(table.deletedAt), isNull(table.purgedAt), lt(table.deletedAt, before)))
        .orderBy(table.deletedAt)
        .limit(limit)
        .for('update', { skipLocked: true });
      const purged = await tx
        .update(table)
        .set({ ...aggregate.toRow(aggregate.purged), purgedAt: new Date() })
        .where(inArray(table.id, due))
        .returning({ id: table.id });
      return purged.length;
    },
    await transactionOptions(context),
  );
}
