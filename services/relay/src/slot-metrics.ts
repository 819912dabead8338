import { walHolders, walStates, type WalVerdict } from '@outbound/service-kit';
import { Gauge, type Registry } from 'prom-client';

const walStatuses = ['reserved', 'extended', 'unreserved', 'lost', 'unknown'] as const;

/** The metrics of the slot and of the log that it keeps; gives who is told each verdict. What is not known is NaN, never 0 (I11). */
export function createSlotMetrics(registry: Registry): (verdict: WalVerdict | undefined) => void {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const walLag = gauge(
    'relay_wal_lag_bytes',
    'Log written by Postgres beyond what the slot has confirmed; NaN when unknown.',
  );
  const retained = gauge(
    'relay_slot_retained_wal_bytes',
    'Log that Postgres keeps for the slot (from restart_lsn); NaN when unknown.',
  );
  const safe = gauge(
    'relay_slot_safe_wal_bytes',
    'Log that can still be written before Postgres gives the slot up; NaN when unknown or without a limit.',
  );
  const warnBytes = gauge(
    'relay_slot_wal_warn_bytes',
    'Retained log from which it is a warning (RELAY_WAL_WARN_BYTES, or what follows from max_slot_wal_keep_size); NaN when unknown.',
  );
  const alarmBytes = gauge(
    'relay_slot_wal_alarm_bytes',
    'Retained log from which it is an alarm (RELAY_WAL_ALARM_BYTES, or what follows from max_slot_wal_keep_size); NaN when unknown.',
  );
  const growth = gauge(
    'relay_slot_wal_growth_bytes_per_second',
    'How fast the retained log grows, over the last five minutes; below 0 where it shrinks, NaN when unknown.',
  );
  const secondsLeft = gauge(
    'relay_slot_seconds_left',
    'Until Postgres gives the slot up, at the present rate; +Inf while the log does not grow, NaN when unknown or without a limit (then the disk is the limit).',
  );
  const xminAge = gauge(
    'relay_slot_catalog_xmin_age',
    'Transactions since which vacuum can remove no dead row of a catalog because of the slot; NaN when unknown.',
  );
  const slotStatus = new Gauge({
    name: 'relay_slot_status',
    help: "One for the slot's wal_status, zero for the others.",
    labelNames: ['status'],
    registers,
  });
  const walState = new Gauge({
    name: 'relay_slot_wal_state',
    help: 'One for how the retained log stands against its budget, zero for the others.',
    labelNames: ['state'],
    registers,
  });
  const heldBy = new Gauge({
    name: 'relay_slot_wal_held_by',
    help: 'One for what keeps the log, zero for the others; all zero where little is kept, or nothing can be said.',
    labelNames: ['cause'],
    registers,
  });
  const set = (verdict: WalVerdict | undefined) => {
    const health = verdict?.health;
    const status = walStatuses.find((each) => each === health?.walStatus) ?? 'unknown';
    for (const each of walStatuses) slotStatus.set({ status: each }, Number(each === status));
    const state = verdict?.state ?? 'unknown';
    for (const each of walStates) walState.set({ state: each }, Number(each === state));
    for (const cause of walHolders)
      heldBy.set({ cause }, health ? Number(cause === verdict.holder?.cause) : NaN);
    walLag.set(health?.lagBytes ?? NaN);
    retained.set(health?.retainedBytes ?? NaN);
    safe.set(health?.safeBytes ?? NaN);
    warnBytes.set(verdict?.thresholds?.warnBytes ?? NaN);
    alarmBytes.set(verdict?.thresholds?.alarmBytes ?? NaN);
    growth.set(verdict?.growth?.bytesPerSecond ?? NaN);
    secondsLeft.set(verdict?.secondsLeft ?? NaN);
    xminAge.set(health?.catalogXminAge ?? NaN);
  };
  set(undefined);
  return set;
}
