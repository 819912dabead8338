import { LineLimit, type Clock, type Logger } from '@outbound/service-kit';
import { toRelayError } from './errors.ts';
import type { ConnectionSettings } from './wal/connection-config.ts';
import { Sentinel } from './wal/sentinel.ts';
import { readSlotHealth, type SlotHealth } from './wal/slot-health.ts';

const pollMs = 5000;
/** A server that cannot be asked is told of once a minute. */
const repeatMs = 60_000;

export interface SlotMonitorOptions {
  readonly connection: ConnectionSettings;
  readonly slot: string;
  /** Above this the retained log is an alarm. */
  readonly walBudgetBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What was just learned; undefined means unknown. */
  readonly onHealth: (health: SlotHealth | undefined) => void;
}

/** What the slot monitor says when readiness asks. */
export type SlotVerdict = { readonly ok: boolean; readonly detail: string };

/**
 * Judges the slot's health against the budget. Unknown is not ok (I11); a lost slot is a data gap.
 */
export function judgeSlot(health: SlotHealth | undefined, walBudgetBytes: number): SlotVerdict {
  if (!health)
    return { ok: false, detail: 'unknown: Postgres was not asked yet, or has no such slot' };
  if (health.walStatus === 'lost') return { ok: false, detail: 'lost: Postgres gave up the slot' };
  const { retainedBytes } = health;
  if (retainedBytes !== undefined && retainedBytes > walBudgetBytes)
    return {
      ok: false,
      detail: `over budget: Postgres keeps ${retainedBytes} bytes of log for the slot, more than ${walBudgetBytes}`,
    };
  return { ok: true, detail: health.walStatus ?? 'unknown' };
}

/** Asks Postgres about the slot every five seconds, beside the stream, until the signal aborts. Never rejects. */
export async function monitorSlot(options: SlotMonitorOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, slot, walBudgetBytes, onHealth } = options;
  let sentinel: Sentinel | undefined;
  let wasOverBudget = false;
  const limit = new LineLimit({ everyMs: repeatMs, nowMs: () => clock.nowMs() });
  while (!signal.aborted) {
    try {
      sentinel ??= await Sentinel.open(
        { ...options.connection, applicationName: 'outbound-relay-monitor' },
        () => undefined,
      );
      const health = await sentinel.ask('reading the health of the slot', (client) =>
        readSlotHealth(client, slot),
      );
      onHealth(health);
      const isOverBudget =
        health?.retainedBytes !== undefined && health.retainedBytes > walBudgetBytes;
      if (isOverBudget !== wasOverBudget)
        logger[isOverBudget ? 'error' : 'info'](
          { component: 'slot', slot, retainedBytes: health?.retainedBytes, walBudgetBytes },
          isOverBudget
            ? 'Postgres keeps more log for the slot than the budget allows'
            : 'the retained log is within the budget again',
        );
      wasOverBudget = isOverBudget;
    } catch (thrown) {
      const error = toRelayError(thrown);
      onHealth(undefined);
      const line = limit.admit(error.code);
      if (line)
        logger.warn(
          { component: 'slot', slot, code: error.code, error, ...line },
          'Postgres could not be asked about the slot',
        );
    }
    await clock.sleep(pollMs, signal);
  }
  sentinel?.close();
}
