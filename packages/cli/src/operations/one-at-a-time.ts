import type pg from 'pg';
import { CliError, exitCodes } from '../exit-codes.ts';

/**
 * Runs `work` unless the same is already being done on this database, by anyone. Held by a session of its own, so that
 * the lock
 * ends with this process, however it ends.
 * @param name what must not be done twice at once, such as `backfill of product`.
 * @throws CliError OPERATION_BUSY, exit 6: nothing was done.
 */
export async function oneAtATime<Result>(
  pool: pg.Pool,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  // What the lock guards stays right without it; the next statement of `work` says if the server is gone.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  const key = "hashtext('outbound operation'), hashtext($1)";
  let isHeld = false;
  try {
    const { rows } = await client.query<{ held: boolean }>(
      `select pg_try_advisory_lock(${key}) as held`,
      [name],
    );
    isHeld = rows[0]?.held === true;
    if (!isHeld)
      throw new CliError(
        'OPERATION_BUSY',
        `another ${name} is under way; nothing was done: wait for it (select * from operation where ended_at is null), or end it with Ctrl-C`,
        { exitCode: exitCodes.busy },
      );
    return await work();
  } finally {
    // Ended with its session: the lock cannot outlive it.
    client.release(isHeld);
    client.off('error', ignore);
  }
}
