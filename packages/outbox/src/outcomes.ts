import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs, PipelineError } from '@outbound/service-kit';
import { isWriteConflict } from './sql-states.ts';

/**
 * Runs `work` again, with jitter in between, after a serialization failure or a deadlock.
 * @param attempts tries, the first included.
 * @throws PipelineError WRITE_CONFLICT when every try met a conflict; else what `work` throws.
 */
export async function retryConflicts<Result>(
  attempts: number = 5,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
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

/** OUTCOME_UNKNOWN: the commit was asked for, and nothing proves that it was refused. */
export function unknownOutcome(cause: unknown): PipelineError {
  return new PipelineError(
    'OUTCOME_UNKNOWN',
    'the connection failed while the transaction was being committed, so it may or may not have been: look at what it would have written before it is repeated',
    { cause },
  );
}
