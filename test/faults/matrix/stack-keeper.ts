import type { KafkaOptions, PostgresOptions } from '@outbound/local-stack';
import pg from 'pg';
import { startTestStack, type TestStack } from '../../support/test-stack.ts';

/** What a row may choose of the servers that rows share: values only, so that two choices can be compared. */
export interface StackChoice {
  readonly postgres?: Pick<PostgresOptions, 'major' | 'settings'>;
  readonly kafka?: Pick<KafkaOptions, 'brokers' | 'settings' | 'jvm'>;
}

/** A round leaves topics and a database; after so many the servers are new ones. */
const roundsPerStack = 25;

/** Keeps the servers of the last choice, so that rows in turn do not each pay for a start. One round at a time. */
export class StackKeeper implements AsyncDisposable {
  #rounds = 0;
  #kept: { readonly choice: string; readonly stack: TestStack } | undefined;

  /** The servers of this choice; those of another one are ended first. */
  async stack(choice: StackChoice = {}): Promise<TestStack> {
    const text = JSON.stringify(choice);
    if (this.#kept?.choice !== text || this.#rounds >= roundsPerStack) {
      await this.drop();
      this.#kept = { choice: text, stack: await startTestStack(choice) };
    }
    this.#rounds += 1;
    await dropSlots(this.#kept.stack);
    return this.#kept.stack;
  }

  /** Ends them: after a round that failed nobody knows in which state they are. */
  async drop(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    this.#rounds = 0;
    await kept?.stack[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }
}

/** Slots that rounds of before left would keep the log, and there may be only so many. */
async function dropSlots({ postgres }: TestStack): Promise<void> {
  const sql = new pg.Client(postgres.url);
  await sql.connect();
  await sql.query(
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active',
  );
  await sql.end();
}
