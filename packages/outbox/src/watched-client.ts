import { PipelineError } from '@outbound/service-kit';
import type pg from 'pg';
import { unknownOutcome } from './outcomes.ts';
import { isWriteConflict, leavesOutcomeOpen } from './sql-states.ts';

/** What a connection still takes: while `work` runs everything, then the end of the transaction, then nothing. */
type Stage = 'open' | 'ending' | 'ended';

/** A connection during one transaction, and what is known of how the transaction ended. */
export interface WatchedClient {
  /** To be used in place of the connection. */
  readonly client: pg.PoolClient;
  /**
   * What the server said that it did last. Only its answer to `commit` tells: it is ROLLBACK, and no error, where a statement had failed.
   * (The transaction status of the connection comes too late: a query is rejected before the server reports it.)
   */
  readonly lastCommand: () => string;
  /** From now on only the end of the transaction is let through. */
  readonly onlyEnd: () => void;
  /** From now on nothing is let through: the connection goes back to the pool, so a statement would run in a stranger's transaction. */
  readonly nothingMore: () => void;
  /**
   * What to tell of a transaction that failed with `error`: PipelineError OUTCOME_UNKNOWN if COMMIT was sent and nothing proves that it was
   * refused; the refusal if something does; else `error` itself.
   */
  readonly verdict: (error: unknown) => unknown;
  /** Gives the connection back to the pool, or ends it where its transaction could not be ended, or `mustEnd` says so: it must not serve anybody else. */
  readonly release: (mustEnd: boolean) => void;
}

/**
 * Watches a connection for one transaction.
 *
 * A refused COMMIT is known by the session's answer to what comes behind it, the rollback that drizzle sends: so the server lives, and has ended the
 * transaction with an error. Whatever ends a session may have come after the commit record was written. (The severity of the error would say the same, but in
 * the language of the server.) Where the end of the session was heard of before COMMIT, no COMMIT is sent, and the transaction was rolled back for certain.
 * @param withBegin sent behind BEGIN in the same round trip, such as `; set local lock_timeout = 100`.
 */
export function watchClient(client: pg.PoolClient, withBegin: string): WatchedClient {
  let lastCommand = '';
  let stage: Stage = 'open';
  let lost: Error | undefined;
  let refusal: { readonly error: unknown } | undefined;
  let answersBehindCommit = false;
  // The pool listens to idle connections only: without this, one that breaks between two statements would end the process.
  const onError = (error: Error): void => void (lost ??= error);
  client.on('error', onError);
  const run: (...parameters: unknown[]) => Promise<pg.QueryResult> = client.query.bind(client);
  const query: typeof run = async (statement, ...parameters) => {
    const { text } = statement as { readonly text?: unknown };
    if (stage === 'ended' || (stage === 'ending' && text !== 'commit' && text !== 'rollback'))
      throw new PipelineError(
        'TRANSACTION_ENDED',
        'a statement came after the end of its transaction: await every statement, and let tx not outlive its unit of work',
      );
    if (lost !== undefined) throw lost;
    try {
      const result = await run(extendBegin(statement, withBegin), ...parameters);
      lastCommand = result.command;
      answersBehindCommit ||= refusal !== undefined;
      return result;
    } catch (error) {
      if (text === 'commit') refusal = { error };
      throw error;
    }
  };
  return {
    client: new Proxy(client, {
      get: (target, name): unknown => (name === 'query' ? query : Reflect.get(target, name)),
    }),
    lastCommand: () => lastCommand,
    onlyEnd: () => void (stage = 'ending'),
    nothingMore: () => void (stage = 'ended'),
    verdict: (error) => {
      if (refusal === undefined) return error;
      const isProven = answersBehindCommit && !leavesOutcomeOpen(refusal.error);
      if (isProven || isWriteConflict(refusal.error)) return refusal.error;
      return unknownOutcome(refusal.error);
    },
    release: (mustEnd) => {
      client.release(mustEnd || client.getTransactionStatus() !== 'I');
      client.off('error', onError);
    },
  };
}

/** Puts more behind the text of `begin …`; every other statement stays as it is. */
function extendBegin(statement: unknown, withBegin: string): unknown {
  const { text } = statement as { readonly text?: unknown };
  if (withBegin === '' || typeof text !== 'string' || !/^begin\b/.test(text)) return statement;
  return { ...(statement as object), text: text + withBegin };
}
