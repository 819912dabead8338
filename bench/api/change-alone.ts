import { sql, type SQL } from 'drizzle-orm';
import type { Database } from '../../packages/outbox/src/database.ts';
import {
  PreparedStatement,
  type StatementValues,
} from '../../packages/outbox/src/prepared-statement.ts';
import { runStatement } from '../../packages/outbox/src/run-statement.ts';

/*
 * In the bundle that is measured as "without an outbox" this stands in place of `packages/outbox/src/change-in-one.ts`: the same API, the same row, the same statement by name, and no event.
 */

export function changeStatement(label: string, change: SQL, before?: SQL): PreparedStatement {
  const query = before === undefined ? change : sql`with ${before} ${change}`;
  return new PreparedStatement(`${label}_alone`, query);
}

export async function changeInOne(
  db: Database,
  { statement, values }: { statement: PreparedStatement; values: StatementValues },
): Promise<boolean> {
  const outcome = await runStatement(db, statement.bind(values));
  if ('error' in outcome) throw outcome.error;
  return outcome.result.rowCount === 1;
}
