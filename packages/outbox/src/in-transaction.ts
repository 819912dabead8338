import { PipelineError } from '@outbound/service-kit';
import { drizzle } from 'drizzle-orm/node-postgres';
import type { Database, Transaction } from './database.ts';
import { Emissions, type Emit, type EmitRows } from './emissions.ts';
import { retryConflicts } from './outcomes.ts';
import { queryOf, type Query } from './query.ts';
import { hasLostStatement } from './sql-states.ts';
import { watchClient } from './watched-client.ts';

/** What a unit of work is given; neither outlives it. */
export interface OpenTransaction {
  readonly tx: Transaction;
  readonly emit: Emit;
  /**
   * Puts events of `outboxRow` into the outbox with one statement, in their order, with all that `emit` promises.
   */
  readonly emitRows: EmitRows;
  /** A statement past drizzle, which builds and parses anew each time. */
  readonly query: Query;
}

export interface TransactionOptions {
  /** Tries after conflicts with other transactions, the first included. Defaults to 5. */
  readonly attempts?: number;
  /** Defaults to what the database, the role or the session has as its default. */
  readonly isolationLevel?: 'read committed' | 'repeatable read' | 'serializable';
  /**
   * Settings of this transaction alone, in ms. They go with BEGIN, so they cost no round trip. Behind a pooler that gives out connections by transaction there
   * are no others that hold.
   */
  readonly timeouts?: TransactionTimeouts;
  /**
   * Whether statements with a name are kept by their connection for the next time. Not behind a pooler that gives out connections by transaction. Defaults to false.
   * A connection that has lost one, or has planned it for a table that was changed since, refuses it: then that connection is ended, and `work` runs once more, without names.
   */
  readonly prepares?: boolean;
}

/** Limits that Postgres knows for what a transaction does, in ms; 0 is none. */
export type TransactionTimeouts = Readonly<
  Partial<
    Record<'statement_timeout' | 'lock_timeout' | 'idle_in_transaction_session_timeout', number>
  >
>;

/**
 * The way to emit events beside any change: state and event commit together or not at all (I10). (Where the change is one statement, `changeInOne` does the same in one round trip.) Runs `work` in one transaction and gives
 * its result after the commit. After a serialization failure or a deadlock `work` runs again from its beginning, with jitter in between,
 * so it must keep nothing outside.
 * @throws PipelineError WRITE_CONFLICT when every try met a conflict; TRANSACTION_ABORTED when `work` swallowed the error of a statement
 * (Postgres would answer the commit with a rollback, and the driver would not tell); EMIT_NOT_AWAITED; TRANSACTION_ENDED, to a
 * statement of `tx` that comes after the end (as the cause of drizzle's error); else whatever `work`, an
 * emit of it or the database throws. In each of these cases everything was rolled back. OUTCOME_UNKNOWN, if COMMIT was sent and got no answer
 * that is a verdict: then it may have been committed, and nothing runs again by itself.
 */
export async function inTransaction<Result>(
  db: Database,
  work: (open: OpenTransaction) => Promise<Result>,
  options: TransactionOptions = {},
): Promise<Result> {
  return retryConflicts(options.attempts, async () => {
    try {
      return await runOnce(db, work, options);
    } catch (error) {
      // Ours is a verdict, whatever it was caused by: after OUTCOME_UNKNOWN nothing runs again.
      const isRefusal = hasLostStatement(error) && !(error instanceof PipelineError);
      if (options.prepares !== true || !isRefusal) throw error;
      return runOnce(db, work, { ...options, prepares: false });
    }
  });
}

/** One try, on a connection of its own: drizzle's own checkout keeps the connection for ever if `begin` fails. */
async function runOnce<Result>(
  db: Database,
  work: (open: OpenTransaction) => Promise<Result>,
  { isolationLevel, timeouts = {}, prepares = false }: TransactionOptions,
): Promise<Result> {
  const watched = watchClient(await db.$client.connect(), setLocal(timeouts));
  const query = queryOf(watched.client, prepares);
  // Behind a connection that broke the rollback fails too, and drizzle would tell that instead.
  const failures: unknown[] = [];
  let hasLost = false;
  try {
    const result = await drizzle(watched.client).transaction(
      async (tx) => {
        const emissions = new Emissions(tx, query);
        try {
          const { emit, emitRows } = emissions;
          const done = await work({ tx, emit, emitRows, query }).finally(async () => {
            await emissions.end();
            watched.onlyEnd();
          });
          emissions.assertAllStored();
          return done;
        } catch (error) {
          failures.push(error);
          throw error;
        }
      },
      isolationLevel ? { isolationLevel } : undefined,
    );
    if (watched.lastCommand() !== 'COMMIT')
      throw new PipelineError(
        'TRANSACTION_ABORTED',
        'a statement of the transaction failed and its error was swallowed, so Postgres rolled it back: let the error through, or wrap what may fail in tx.transaction (a savepoint)',
      );
    return result;
  } catch (error) {
    const verdict = watched.verdict(failures.length > 0 ? failures[0] : error);
    hasLost = prepares && hasLostStatement(verdict);
    throw verdict;
  } finally {
    watched.nothingMore();
    watched.release(hasLost);
  }
}

/** What follows BEGIN in its round trip. */
function setLocal(timeouts: TransactionTimeouts): string {
  return Object.entries(timeouts)
    .map(([name, ms]) => `; set local ${name} = ${Math.round(ms)}`)
    .join('');
}
