import type { KafkaOptions, PostgresOptions } from '@outbound/local-stack';
import { startTestStack, type TestStack } from '../../support/test-stack.ts';

/** What a row may choose of the servers that rows share: values only, so that two choices can be compared. */
export interface StackChoice {
  readonly postgres?: Pick<PostgresOptions, 'major' | 'settings'>;
  readonly kafka?: Pick<KafkaOptions, 'brokers' | 'settings' | 'jvm'>;
}

/** Keeps the servers of the last choice, so that rows in turn do not each pay for a start. One round at a time. */
export class StackKeeper implements AsyncDisposable {
  #kept: { readonly choice: string; readonly stack: TestStack } | undefined;

  /** The servers of this choice; those of another one are ended first. */
  async stack(choice: StackChoice = {}): Promise<TestStack> {
    const text = JSON.stringify(choice);
    if (this.#kept?.choice !== text) {
      await this.drop();
      this.#kept = { choice: text, stack: await startTestStack(choice) };
    }
    return this.#kept.stack;
  }

  /** Ends them: after a round that failed nobody knows in which state they are. */
  async drop(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    await kept?.stack[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }
}
