import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

/**
 * Resolves when the slot has confirmed everything that is committed now, which the relay lets it do only after Kafka's answer (I6).
 * @throws Error after `timeoutMs` (120 s) with both positions.
 */
export async function drained(
  sql: pg.Client,
  {
    slot,
    signal,
    timeoutMs = 120_000,
  }: { readonly slot: string; readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<void> {
  const target = await text(sql, 'select pg_current_wal_flush_lsn()::text as text');
  if (target === undefined) throw new Error('Postgres gave no position of its log');
  const deadline = performance.now() + timeoutMs;
  const ask = `select case when confirmed_flush_lsn >= $2::pg_lsn then 'yes' else confirmed_flush_lsn::text end as text
    from pg_replication_slots where slot_name = $1`;
  for (;;) {
    const answer = await text(sql, ask, [slot, target]);
    if (answer === 'yes') return;
    if (performance.now() > deadline)
      throw new Error(
        `the relay has not caught up within ${timeoutMs} ms: slot ${slot} is at ${answer ?? 'no position'}, the log at ${target}; see its log`,
      );
    await delay(50, undefined, { signal });
  }
}

async function text(
  sql: pg.Client,
  query: string,
  values: readonly string[] = [],
): Promise<string | undefined> {
  const { rows } = await sql.query<{ text: string | null }>(query, [...values]);
  return rows[0]?.text ?? undefined;
}
