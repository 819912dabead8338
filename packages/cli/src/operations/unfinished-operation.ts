import type pg from 'pg';
import type { OperationFacts } from './operation.ts';

/** An operation that was killed, interrupted or failed, and that nobody took up again. */
export interface UnfinishedOperation {
  readonly id: string;
  readonly startedAt: Date;
  /** Null if the process was killed. */
  readonly outcome: string | null;
  readonly parameters: OperationFacts;
  readonly progress: OperationFacts;
}

/** How an operation is closed that another one continues or replaces. */
export type Closing = 'resumed' | 'abandoned';

/**
 * The last operation of this verb with `parameters[name] = value` that did not end well, or the one with this id;
 * undefined if there is none. Ask while `oneAtATime`
 * holds: then what has no end is not running either.
 */
export async function unfinishedOperation(
  pool: pg.Pool,
  verb: string,
  [name, value]: readonly [name: string, value: string],
  id?: string,
): Promise<UnfinishedOperation | undefined> {
  // As text, whatever this process does with json columns.
  const { rows } = await pool.query<{
    id: string;
    started_at: Date;
    outcome: string | null;
    parameters: string;
    progress: string | null;
  }>(
    `select id, started_at, outcome, parameters::text, progress::text from operation
     where verb = $1 and parameters ->> $2 = $3 and ($4::text is null or id::text = $4)
       and (outcome is null or outcome not in ('done', 'resumed', 'abandoned'))
     order by started_at desc limit 1`,
    [verb, name, value, id ?? null],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    id: row.id,
    startedAt: row.started_at,
    outcome: row.outcome,
    parameters: JSON.parse(row.parameters) as OperationFacts,
    progress: JSON.parse(row.progress ?? '{}') as OperationFacts,
  };
}

/** Notes that the operation will not be offered again. */
export async function closeOperation(pool: pg.Pool, id: string, how: Closing): Promise<void> {
  await pool.query('update operation set outcome = $2, ended_at = now() where id = $1', [id, how]);
}
