import {
  changeInOne,
  readStatement,
  type PreparedStatement,
  type StatementValues,
} from '@outbound/outbox';
import type { Aggregate } from './aggregate.ts';
import { fromDatabaseError } from './database-errors.ts';
import type { EntityChange } from './entity-change.ts';
import type { EntityRow } from './entity-rows.ts';
import { RowStatements } from './row-statements.ts';
import { toOutboxRow, type CommandContext } from './unit-of-work.ts';

/*
 * Commands in one round trip: row and event by one statement, which is a transaction by itself. What has to be known before is read without a lock, and the statement writes only if the row
 * still has the version that was read: so the event is still stored under the row's lock, with the version counted from the one that is locked (I3).
 */

/**
 * Whether statements may go by themselves: not where timeouts have to go with each transaction, since the connections belong to a pooler, which may not know prepared ones either.
 * @throws what opening a connection throws
 */
export async function canWriteInOne({
  timeouts,
}: Pick<CommandContext, 'timeouts'>): Promise<boolean> {
  return (await timeouts()) === undefined;
}

/** The row with this id as it is committed now, deleted or not. @throws ApiError */
export async function readRow(
  { db }: CommandContext,
  aggregate: Aggregate,
  id: string,
): Promise<EntityRow | undefined> {
  const statements = RowStatements.of(aggregate);
  try {
    const [row] = await readStatement(db, statements.row.bind({ id }));
    return row === undefined ? undefined : (statements.toRow(row) as EntityRow);
  } catch (error) {
    throw fromDatabaseError(error, aggregate);
  }
}

/**
 * Writes the row of a change, and its event. The event says what the row is before it is stored, so an aggregate's `toEntity` has to say the same of both.
 * @param statement of `RowStatements`. @param more values beside the row's.
 * @returns false if there was nothing to write to; then nothing was written.
 * @throws ApiError
 */
export async function writeInOne(
  context: CommandContext,
  aggregate: Aggregate,
  { row, entity, dataOp }: EntityChange,
  statement: PreparedStatement,
  more: StatementValues = {},
): Promise<boolean> {
  let isWritten: boolean;
  try {
    isWritten = await changeInOne(context.db, {
      statement,
      values: { ...row, ...more },
      event: () => toOutboxRow(context, aggregate, dataOp, entity),
    });
  } catch (error) {
    throw fromDatabaseError(error, aggregate);
  }
  if (isWritten) context.onCommitted({ eventType: aggregate.eventType.name, dataOp });
  return isWritten;
}
