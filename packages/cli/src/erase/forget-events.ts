import { systemClock, type Clock } from '@outbound/service-kit';
import type pg from 'pg';

const withinMs = 20_000;
const everyMs = 250;

/** What became of the outbox rows. */
export interface ForgottenEvents {
  readonly rows: number;
  /** Why none was deleted: some reader of the log has not confirmed them yet. Undefined when they are gone. */
  readonly waitsFor: string | undefined;
}

/**
 * Deletes the outbox rows of an entity that are older than its deletion `version`, as soon as every reader of the log has confirmed what is committed now: an
 * event that was promised is published first. Waits for that for 20 s. Call it after the deletion was committed.
 * @throws what the database throws, and what the signal says, if it is aborted.
 */
export async function forgetEvents(
  pool: Pick<pg.Pool, 'query'>,
  entity: { readonly dataType: string; readonly id: string; readonly version: number },
  { signal, clock = systemClock }: { readonly signal: AbortSignal; readonly clock?: Clock },
): Promise<ForgottenEvents> {
  const { rows: ends } = await pool.query<{ lsn: string }>(
    'select pg_current_wal_insert_lsn()::text as lsn',
  );
  const lsn = ends[0]?.lsn;
  const startedMs = clock.nowMs();
  for (;;) {
    const { rows } = await pool.query<{ forgotten: string; waits_for: string | null }>(
      'select forgotten::text, waits_for from public.outbox_forget($1, $2, $3, $4)',
      [entity.dataType, entity.id, entity.version, lsn],
    );
    const [answer] = rows;
    if (answer?.waits_for == null)
      return { rows: Number(answer?.forgotten ?? 0), waitsFor: undefined };
    if (clock.nowMs() - startedMs > withinMs) return { rows: 0, waitsFor: answer.waits_for };
    await clock.sleep(everyMs, signal);
    signal.throwIfAborted();
  }
}
