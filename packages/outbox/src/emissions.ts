import type { EventType } from '@outbound/contract';
import { PipelineError } from '@outbound/service-kit';
import type { Transaction } from './database.ts';
import {
  insertOutboxRow,
  insertOutboxRows,
  outboxRow,
  type EventToEmit,
  type OutboxRow,
} from './outbox-row.ts';
import type { Query } from './query.ts';

/**
 * Puts an event into the outbox, in the transaction that makes the change, and gives its id (`eid`).
 * **Order**: call it while the transaction holds the entity's row lock, with the version counted under it: then commit order is version order (I3).
 * @throws PipelineError EVENT_INVALID, EVENT_TOO_LARGE; the transaction is rolled back with it, even if the caller catches it.
 */
export type Emit = (eventType: EventType, event: EventToEmit) => Promise<string>;

/** What `emitRows` of an open transaction is. */
export type EmitRows = (rows: readonly OutboxRow[]) => Promise<void>;

/** The events of one transaction: none may be lost without the transaction failing with it (I10). */
export class Emissions {
  readonly #tx: Transaction;
  readonly #query: Query;
  readonly #underWay = new Set<Promise<unknown>>();
  #wasCutShort = false;
  #isOpen = true;
  #failures: unknown[] = [];

  constructor(tx: Transaction, query: Query) {
    this.#tx = tx;
    this.#query = query;
  }

  readonly emit: Emit = async (eventType, event) => {
    let id = '';
    await this.#store(event.aggregateId, () => {
      const row = outboxRow(eventType, event);
      id = row.id;
      return this.#tx.execute(insertOutboxRow(row)).then();
    });
    return id;
  };

  readonly emitRows: EmitRows = async (rows) => {
    const [first] = rows;
    if (first === undefined) return;
    await this.#store(first.aggregateId, () => this.#query(insertOutboxRows(rows)));
  };

  async #store(aggregateId: string, insert: () => Promise<unknown>): Promise<void> {
    if (!this.#isOpen)
      throw new PipelineError(
        'EMIT_NOT_AWAITED',
        `an event of ${aggregateId} was emitted after its transaction ended: await every emit`,
      );
    try {
      // A query of drizzle is sent again by every `then`: a promise of our own has been sent once.
      const stored = insert().then(() => undefined);
      this.#underWay.add(stored);
      try {
        await stored;
      } finally {
        this.#underWay.delete(stored);
      }
    } catch (error) {
      this.#failures.push(error);
      throw error;
    }
  }

  /** No further emit; waits for those under way, so that commit or rollback is the last statement. Never rejects. */
  async end(): Promise<void> {
    this.#isOpen = false;
    this.#wasCutShort = this.#underWay.size > 0;
    await Promise.allSettled(this.#underWay);
  }

  /** @throws the first error of an emit, or PipelineError EMIT_NOT_AWAITED. */
  assertAllStored(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
    if (this.#wasCutShort)
      throw new PipelineError(
        'EMIT_NOT_AWAITED',
        'a transaction ended while an emit was under way: await every emit',
      );
  }
}
