import type { Clock, Logger } from '@outbound/service-kit';
import type pg from 'pg';
import { toRelayError } from './errors.ts';
import { unlessStopped } from './unless-stopped.ts';
import type { ConnectionSettings } from './wal/connection-config.ts';
import { connect, destroy } from './wal/sentinel.ts';
import { toSourceError } from './wal/source-errors.ts';

/** The longest step reads the rows of a filled default partition once, beside the writers. */
const stepTimeoutMs = 600_000;

export interface HouseKeeperOptions {
  readonly connection: ConnectionSettings;
  /** How long published rows stay in the outbox. */
  readonly retentionHours: number;
  /** From the end of a run to the next; 0 leaves it all to somebody else. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface HousekeepingRow {
  readonly action: string;
  readonly partition_name: string | null;
  readonly detail: string | null;
}

/**
 * Makes the outbox's partitions and drops old ones, now and every `intervalMs`, until the signal aborts; never rejects. On a connection of its own, open
 * only during a run: however long one takes, nobody who asks about the slot waits for it. A run calls `outbox_housekeeping` until a call
 * changes nothing; each call is a transaction, and gives back its locks (migrations/0013).
 */
export async function keepHouse(options: HouseKeeperOptions, signal: AbortSignal): Promise<void> {
  const { intervalMs, clock, logger } = options;
  while (intervalMs > 0 && !signal.aborted) {
    try {
      await runOnce(options, signal);
    } catch (thrown) {
      const error = toRelayError(thrown);
      if (!signal.aborted)
        logger.warn(
          { component: 'housekeeping', code: error.code, error },
          'the outbox partitions could not be kept in order; the next run tries again',
        );
    }
    await clock.sleep(intervalMs, signal);
  }
}

async function runOnce(options: HouseKeeperOptions, signal: AbortSignal): Promise<void> {
  const { connection, clock, logger, retentionHours } = options;
  const client = await unlessStopped(
    connect(
      { ...connection, applicationName: 'outbound-relay-housekeeping' },
      { query_timeout: stepTimeoutMs },
    ),
    signal,
    clock,
    (late) => Promise.resolve(destroy(late)),
  );
  if (!client) return;
  // The server finishes a step that is under way, as it would have.
  const onAbort = (): void => destroy(client);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const rows = await step(client, retentionHours);
      const isDone = rows.every(changesNothing);
      for (const row of rows) if (isDone || !changesNothing(row)) log(logger, row);
      if (isDone) return;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    destroy(client);
  }
}

async function step(client: pg.Client, retentionHours: number): Promise<HousekeepingRow[]> {
  try {
    const { rows } = await client.query<HousekeepingRow>(
      'select action, partition_name, detail from public.outbox_housekeeping(make_interval(hours => $1))',
      [retentionHours],
    );
    return rows;
  } catch (thrown) {
    throw toSourceError(thrown, 'check', 'keeping the outbox in order');
  }
}

/** What was put off comes with every step, and is told with the last. */
function changesNothing({ action }: HousekeepingRow): boolean {
  return action === 'kept' || action === 'skipped';
}

function log(logger: Logger, row: HousekeepingRow): void {
  const { action, partition_name: partition, detail } = row;
  // What stays although it is old, or could not be made, is for a person to know.
  logger[changesNothing(row) ? 'warn' : 'info'](
    { component: 'housekeeping', action, partition, detail },
    'outbox partition',
  );
}
