import type { ClientBase } from 'pg';

/** What the server says of the process that streams to us; undefined if that one does not hold the slot any more. */
export interface SenderActivity {
  /** Null while it works. */
  readonly waitEventType: string | null;
  readonly waitEvent: string | null;
}

/**
 * `gone`: another process has the slot, or none. `waits`: it has nothing to do but to hear from us or to be read by us. `works`: it decodes,
 * and answers nobody until it has something to send.
 */
export type SenderLife = 'gone' | 'waits' | 'works';

/** Asks another connection about the process. @param pid of the process that we stream from. */
export async function readSenderActivity(
  client: ClientBase,
  { slot, pid }: { readonly slot: string; readonly pid: number },
): Promise<SenderActivity | undefined> {
  const { rows } = await client.query<{
    wait_event_type: string | null;
    wait_event: string | null;
  }>(
    `select a.wait_event_type, a.wait_event from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid
     where s.slot_name = $1 and s.active_pid = $2`,
    [slot, pid],
  );
  const row = rows[0];
  return row && { waitEventType: row.wait_event_type, waitEvent: row.wait_event };
}

/**
 * What a silent server does. One that waits would have answered when it was asked, so that the connection is what is broken; one that works is silent
 * for as long as it takes, such as for a transaction with hundreds of thousands of savepoints, and would be as silent again after a reconnect.
 * Source: Postgres, "Wait Events"; walsender.c (WalSndLoop, WalSndWaitForWal, ProcessPendingWrites).
 */
export function judgeSender(activity: SenderActivity | undefined): SenderLife {
  if (!activity) return 'gone';
  const { waitEventType } = activity;
  return waitEventType === 'Activity' || waitEventType === 'Client' ? 'waits' : 'works';
}
