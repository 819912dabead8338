import { sql, type SQL } from 'drizzle-orm';
import type { Database } from './database.ts';
import { unknownOutcome, retryConflicts } from './outcomes.ts';
import { outboxColumns, type OutboxRow } from './outbox-row.ts';
import { runStatement } from './run-statement.ts';
import { isWriteConflict, leavesOutcomeOpen } from './sql-states.ts';
import { PreparedStatement, type StatementValues } from './prepared-statement.ts';
import { sqlType } from './sql-type.ts';

/**
 * A statement that changes one row and, if it did, puts the event of it into the outbox: a transaction by itself, in one round trip.
 * @param label see `PreparedStatement`.
 * @param change an insert or update of at most one row, without `returning`. Postgres carries it out before the event is stored: under the row's lock, so commit order is version order (I3).
 * @param before common table expressions that `change` reads from, with their names.
 */
export function changeStatement(label: string, change: SQL, before?: SQL): PreparedStatement {
  const columns = Object.entries(outboxColumns).map(
    ([field, { type }]) => sql`${sql.placeholder(eventValue(field))}::${sqlType(type)}`,
  );
  const names = sql.join(
    Object.values(outboxColumns).map(({ name }) => sql.identifier(name)),
    sql`, `,
  );
  return new PreparedStatement(
    label,
    sql`with ${before === undefined ? sql.empty() : sql`${before}, `}changed as (${change} returning 1)
      insert into outbox (${names}) select ${sql.join(columns, sql`, `)} from changed`,
  );
}

/**
 * Changes one row and stores the event of it, by a statement of `changeStatement`: both or neither (I10).
 * @param values of the change's placeholders.
 * @param options.attempts as of `inTransaction`.
 * @returns false if the change found no row to change: then nothing was written.
 * @throws PipelineError WRITE_CONFLICT, and what the database refuses, with nothing written. OUTCOME_UNKNOWN if the statement was sent and nothing proves
 * that it was refused: it commits by itself, so a connection that breaks before its answer leaves open whether it has.
 */
export async function changeInOne(
  db: Database,
  change: {
    readonly statement: PreparedStatement;
    readonly values: StatementValues;
    /** Gives what `outboxRow` gives; asked once. */
    readonly event: () => OutboxRow;
  },
  options: { readonly attempts?: number } = {},
): Promise<boolean> {
  const { statement, values, event } = change;
  const bound = statement.bind({ ...values, ...eventValues(event()) });
  return retryConflicts(options.attempts, async () => {
    const outcome = await runStatement(db, bound);
    if ('result' in outcome) return outcome.result.rowCount === 1;
    const { error, wasSent, answersBehind } = outcome;
    const isProven = !wasSent || (answersBehind && !leavesOutcomeOpen(error));
    throw isProven || isWriteConflict(error) ? error : unknownOutcome(error);
  });
}

function eventValue(field: string): string {
  return `event.${field}`;
}

function eventValues(row: OutboxRow): StatementValues {
  return Object.fromEntries(
    Object.entries(row).map(([field, value]) => [eventValue(field), value as unknown]),
  );
}
