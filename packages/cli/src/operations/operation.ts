import { hostname, userInfo } from 'node:os';
import { PipelineError } from '@outbound/service-kit';
import type pg from 'pg';
import { uuidv7 } from 'uuidv7';

/** What is noted of an operation: numbers, ids, names. Never a payload, never a secret. */
export type OperationFacts = Readonly<Record<string, string | number | boolean | null>>;

/** One audit line, open while the operation runs. */
export interface Operation {
  readonly id: string;
  /** Notes how far it is. */
  progress(facts: OperationFacts): Promise<void>;
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
      progress: async (facts) => {
        await pool.query('update operation set progress = $2 where id = $1', [
          id,
          JSON.stringify(facts),
        ]);
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
