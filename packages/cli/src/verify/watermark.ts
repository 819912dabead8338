import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Delivery } from './verify-ports.ts';

const pollMs = 100;

/**
 * Writes a watermark into the write-ahead log and waits until the slot has confirmed it. The watermark is a
 * transactional message without content, which
 * pgoutput does not send to the relay: its commit lies behind every commit that anybody could see before, it is flushed
 * when the statement returns (a bare
 * `pg_current_wal_insert_lsn()` of an idle server may lie on a page that is not flushed for seconds), and it returns
 * after the commits before it,
 * also where they wait for a synchronous standby. It is the only thing that verification writes.
 * @param options.onWait told about every second while it waits.
 */
export async function passWatermark(
  client: pg.ClientBase,
  options: {
    readonly slot: string;
    readonly patienceMs: number;
    readonly signal: AbortSignal;
    readonly onWait?: (behindBytes: bigint) => void;
  },
): Promise<Delivery> {
  const { slot, patienceMs, signal, onWait } = options;
  const message = await client.query<{ lsn: string }>(
    `select pg_logical_emit_message(true, 'outbound.verify', '')::text as lsn`,
  );
  const watermark = message.rows[0]?.lsn;
  const deadline = performance.now() + patienceMs;
  for (let polls = 1; ; polls += 1) {
    const { rows } = await client.query<SlotRow>(
      `select confirmed_flush_lsn >= $2::pg_lsn as passed, active,
              pg_wal_lsn_diff($2::pg_lsn, confirmed_flush_lsn)::text as behind
       from pg_replication_slots where slot_name = $1 and database = current_database()`,
      [slot, watermark],
    );
    const state = rows[0];
    if (state?.passed === true) return { isPassed: true };
    if (!state || performance.now() >= deadline) return notPassed(slot, patienceMs, state);
    if (polls % 10 === 0 && state.behind !== null) onWait?.(BigInt(state.behind));
    await delay(pollMs, undefined, { signal });
  }
}

interface SlotRow {
  /** Null for a slot that has confirmed nothing. */
  readonly passed: boolean | null;
  readonly active: boolean;
  readonly behind: string | null;
}

/** Why the watermark was not passed, in words that say what to do. */
export function notPassed(
  slot: string,
  patienceMs: number,
  state: SlotRow | undefined,
): Exclude<Delivery, { isPassed: true }> {
  if (!state)
    return {
      isPassed: false,
      behindBytes: undefined,
      why: `this database has no replication slot "${slot}", so nobody knows what has been delivered: check OUTBOUND_SLOT, and outbound status`,
    };
  const behindBytes = state.behind === null ? undefined : BigInt(state.behind);
  const distance =
    behindBytes === undefined ? 'an unknown distance' : `${behindBytes} bytes of log`;
  return {
    isPassed: false,
    behindBytes,
    why: `after ${Math.round(patienceMs / 1000)} s the relay is still ${distance} behind${state.active ? '' : ', and none is connected to the slot'}: see outbound status, then verify again${state.active ? ' or with a longer --wait' : ''}`,
  };
}
