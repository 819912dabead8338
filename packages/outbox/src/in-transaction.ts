import { setTimeout as delay } from 'node:timers/promises';
import { outboxTable, type EventType } from '@outbound/schemas';
import { backoffMs, PipelineError } from '@outbound/service-kit';
import type { Database, Transaction } from './database.ts';
import { outboxRow, type EventToEmit } from './outbox-row.ts';
import { isWriteConflict } from './retriable.ts';

/**
 * Puts an event into the outbox, in the transaction that makes the change, and gives its id (`eid`).
 * **Order**: call it while the transaction holds the entity's row lock, with the version counted under it: then commit order is version order (I3).
 * @throws PipelineError EVENT_INVALID, EVENT_TOO_LARGE; the transaction is rolled back with it.
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
 * @throws PipelineError WRITE_CONFLICT when every try met a conflict; else whatever `work` or the database throws, with everything rolled back.
 */
export async function inTransaction<Result>(
  db: Database,
  work: (open: OpenTransaction) => Promise<Result>,
  { attempts = 5, isolationLevel }: TransactionOptions = {},
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction(
        async (tx) => runOnce(tx, work),
        isolationLevel ? { isolationLevel } : undefined,
      );
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

async function runOnce<Result>(
  tx: Transaction,
  work: (open: OpenTransaction) => Promise<Result>,
): Promise<Result> {
  let isOpen = true;
  const emit: Emit = async (eventType, event) => {
    // An un-awaited emit would reach a transaction that has committed, and its event would be lost without a word.
    if (!isOpen)
      throw new PipelineError(
        'EMIT_AFTER_END',
        `an event of ${event.aggregateId} was emitted after its transaction ended: await every emit`,
      );
    const row = outboxRow(eventType, event);
    await tx.insert(outboxTable).values(row);
    return row.id;
  };
  try {
    return await work({ tx, emit });
  } finally {
    isOpen = false;
  }
}
