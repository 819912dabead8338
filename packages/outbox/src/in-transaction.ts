import { setTimeout as delay } from 'node:timers/promises';
import type { EventType } from '@outbound/schemas';
import { backoffMs, PipelineError } from '@outbound/service-kit';
import { drizzle } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import type { Database, Transaction } from './database.ts';
import { Emissions } from './emissions.ts';
import type { EventToEmit } from './outbox-row.ts';
import { isWriteConflict } from './retriable.ts';

/**
 * Puts an event into the outbox, in the transaction that makes the change, and gives its id (`eid`).
 * **Order**: call it while the transaction holds the entity's row lock, with the version counted under it: then commit order is version order (I3).
 * @throws PipelineError EVENT_INVALID, EVENT_TOO_LARGE; the transaction is rolled back with it, even if the caller catches it.
 */
export type Emit = (eventType: EventType, event: EventToEmit) => Promise<string>;

/** What a unit of work is given; neither outlives it. */
export interface OpenTransaction {
  readonly tx: Transaction;
  readonly emit: Emit;
}

export interface TransactionOptions {
  /** Tries after conflicts with other transactions, the first included. Defaults to 5. */
  readonly attempts?: number;
  readonly isolationLevel?: 'read committed' | 'repeatable read' | 'serializable';
}

/**
 * The only way to emit an event: state and event commit together or not at all (I10). Runs `work` in one transaction and gives
 * its result after the commit. After a serialization failure or a deadlock `work` runs again from its beginning, with jitter in between,
 * so it must keep nothing outside.
 * @throws PipelineError WRITE_CONFLICT when every try met a conflict; TRANSACTION_ABORTED when `work` swallowed the error of a statement
 * (Postgres would answer the commit with a rollback, and the driver would not tell); EMIT_NOT_AWAITED; TRANSACTION_ENDED, to a
 * statement of `tx` that comes after the end (as the cause of drizzle's error); else whatever `work`, an
 * emit of it or the database throws. In each case everything is rolled back, unless the connection broke during the commit itself.
 */
export async function inTransaction<Result>(
  db: Database,
  work: (open: OpenTransaction) => Promise<Result>,
  { attempts = 5, isolationLevel }: TransactionOptions = {},
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runOnce(db, work, isolationLevel ? { isolationLevel } : undefined);
    } catch (error) {
      if (!isWriteConflict(error)) throw error;
      if (attempt >= attempts)
        throw new PipelineError(
          'WRITE_CONFLICT',
          `the transaction met a conflict with another one ${attempts} times; nothing was written, try again`,
          { cause: error },
        );
      await delay(backoffMs({ attempt, baseMs: 10, maxMs: 500, random: Math.random }));
    }
  }
}

/** One try, on a connection of its own: drizzle's own checkout keeps the connection for ever if `begin` fails. */
async function runOnce<Result>(
  db: Database,
  work: (open: OpenTransaction) => Promise<Result>,
  config: { isolationLevel: NonNullable<TransactionOptions['isolationLevel']> } | undefined,
): Promise<Result> {
  const client = await db.$client.connect();
  // The pool listens to idle connections only: one that breaks between two statements would end the process. The next statement fails.
  client.on('error', ignore);
  const watched = watchCommands(client);
  try {
    const result = await drizzle(watched.client).transaction(async (tx) => {
      const emissions = new Emissions(tx);
      const done = await work({ tx, emit: emissions.emit }).finally(async () => {
        await emissions.end();
        watched.onlyEnd();
      });
      emissions.assertAllStored();
      return done;
    }, config);
    if (watched.lastCommand() !== 'COMMIT')
      throw new PipelineError(
        'TRANSACTION_ABORTED',
        'a statement of the transaction failed and its error was swallowed, so Postgres rolled it back: let the error through, or wrap what may fail in tx.transaction (a savepoint)',
      );
    return result;
  } finally {
    watched.nothingMore();
    // A connection whose transaction could not be ended must not serve anybody else.
    client.release(client.getTransactionStatus() !== 'I');
    client.off('error', ignore);
  }
}

/** What a connection still takes: while `work` runs everything, then the end of the transaction, then nothing. */
type Stage = 'open' | 'ending' | 'ended';

/**
 * The client, and what the server said that it did last. Only its answer to `commit` tells: it is ROLLBACK, and no error, where a
 * statement had failed. (The transaction status of the connection comes too late: a query is rejected before the server reports it.)
 * A statement that comes after the end is refused: the connection is back in the pool, so it would run in a stranger's transaction.
 */
function watchCommands(client: pg.PoolClient) {
  let lastCommand = '';
  let stage: Stage = 'open';
  const run: (...parameters: unknown[]) => Promise<pg.QueryResult> = client.query.bind(client);
  const query: typeof run = async (...parameters) => {
    if (stage === 'ended' || (stage === 'ending' && !isEnd(parameters[0])))
      throw new PipelineError(
        'TRANSACTION_ENDED',
        'a statement came after the end of its transaction: await every statement, and let tx not outlive its unit of work',
      );
    const result = await run(...parameters);
    lastCommand = result.command;
    return result;
  };
  return {
    client: new Proxy(client, {
      get: (target, name): unknown => (name === 'query' ? query : Reflect.get(target, name)),
    }),
    lastCommand: () => lastCommand,
    onlyEnd: () => void (stage = 'ending'),
    nothingMore: () => void (stage = 'ended'),
  };
}

/** True for the statements with which drizzle ends a transaction. */
function isEnd(statement: unknown): boolean {
  const { text } = statement as { readonly text?: unknown };
  return text === 'commit' || text === 'rollback';
}

function ignore(): void {
  // See where it is attached.
}
