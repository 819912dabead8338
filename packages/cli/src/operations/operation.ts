import { hostname, userInfo } from 'node:os';
import { PipelineError } from '@outbound/service-kit';
import type pg from 'pg';
import { uuidv7 } from 'uuidv7';

/** What is noted of an operation: numbers, ids, names. Never a payload, never a secret. */
export type OperationFacts = Readonly<Record<string, string | number | boolean | null>>;

/** One audit line, open while the operation runs. */
export interface Operation {
  readonly id: string;
  /**
   * Notes how far it is. `flushed`: resolves when this, and with it everything that was committed before, is on the server's own disk, whatever
   * `synchronous_commit` says; it does not wait for a standby.
   */
  progress(facts: OperationFacts, how?: { readonly flushed: boolean }): Promise<void>;
}

/**
 * Runs something that changes the pipeline with an audit line in the table `operation`: who, when and what before it
 * begins, how it
 * ended after. A process that is killed leaves the line without an end.
 * @throws whatever `work` throws; its code is noted.
 */
export async function recorded<Result>(
  pool: pg.Pool,
  { verb, parameters }: { readonly verb: string; readonly parameters: OperationFacts },
  work: (operation: Operation) => Promise<Result>,
): Promise<Result> {
  const id = uuidv7();
  await pool.query(
    `insert into operation (id, verb, actor, parameters) values ($1, $2, left($3 || ' as ' || current_user, 200), $4)`,
    [id, verb, `${userInfo().username}@${hostname()}`, JSON.stringify(parameters)],
  );
  const end = (outcome: string) =>
    pool.query('update operation set outcome = $2, ended_at = now() where id = $1', [id, outcome]);
  let result: Result;
  try {
    result = await work({
      id,
      progress: async (facts, { flushed } = { flushed: false }) => {
        const note = (db: Pick<pg.ClientBase, 'query'>) =>
          db.query('update operation set progress = $2 where id = $1', [id, JSON.stringify(facts)]);
        await (flushed ? inFlushedTransaction(pool, note) : note(pool));
      },
    });
  } catch (thrown) {
    // The error itself matters more than that it could not be noted.
    await end(thrown instanceof PipelineError ? String(thrown.code) : 'FAILED').catch(
      () => undefined,
    );
    throw thrown;
  }
  await end('done');
  return result;
}

async function inFlushedTransaction(
  pool: pg.Pool,
  work: (client: pg.ClientBase) => Promise<unknown>,
): Promise<void> {
  const client = await pool.connect();
  let isDone = false;
  try {
    await client.query('begin');
    await client.query('set local synchronous_commit = local');
    await work(client);
    await client.query('commit');
    isDone = true;
  } finally {
    // Its transaction ends with it.
    client.release(!isDone);
  }
}
