import type { Socket } from 'node:net';
import type pg from 'pg';
import type { Database } from './database.ts';
import type { BoundStatement } from './prepared-statement.ts';
import { hasLostStatement } from './sql-states.ts';

/** What came of a statement that failed. */
export interface StatementFailure {
  readonly error: unknown;
  /** It was given to the connection, so the server may have carried it out. */
  readonly wasSent: boolean;
  /** The session has answered another question since: so the server lives, and the statement was refused. */
  readonly answersBehind: boolean;
}

/** What a statement gives, or how it failed. */
export type StatementOutcome =
  { readonly result: pg.QueryArrayResult<unknown[]> } | StatementFailure;

/**
 * Runs a statement by itself, on a connection of the pool, in the one round trip that it takes.
 *
 * A connection that does not know the statement by its name any more (whoever is between us and the server gave us another session), or that has planned it for a table that was changed
 * since, refuses it before it does anything. Then it goes once more without a name, and the connection is ended, since it would be refused there for ever.
 * @throws what opening a connection throws; nothing was sent then.
 */
export async function runStatement(
  db: Database,
  statement: BoundStatement,
): Promise<StatementOutcome> {
  const client = await db.$client.connect();
  // The pool listens to idle connections only: without this, one that breaks now would end the process.
  const onError = (): void => undefined;
  client.on('error', onError);
  let mustEnd = false;
  try {
    if (!(client.connection.stream as Socket).writable) {
      mustEnd = true;
      const error = new Error('Connection terminated before the statement was sent');
      return { error, wasSent: false, answersBehind: false };
    }
    try {
      return { result: await client.query<unknown[], unknown[]>(statement) };
    } catch (error) {
      if (!hasLostStatement(error)) throw error;
      mustEnd = true;
      const { name: _name, ...unnamed } = statement;
      return { result: await client.query<unknown[], unknown[]>(unnamed) };
    }
  } catch (error) {
    const answersBehind = await client.query('select 1').then(
      () => true,
      () => false,
    );
    mustEnd ||= !answersBehind;
    return { error, wasSent: true, answersBehind };
  } finally {
    client.release(mustEnd);
    client.off('error', onError);
  }
}

/**
 * Reads by a statement: its rows, each an array in the order of the columns.
 * @throws whatever the database or its driver says.
 */
export async function readStatement(
  db: Database,
  statement: BoundStatement,
): Promise<readonly (readonly unknown[])[]> {
  const outcome = await runStatement(db, statement);
  if ('error' in outcome) throw outcome.error;
  return outcome.result.rows;
}
