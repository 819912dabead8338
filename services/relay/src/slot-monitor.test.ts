import {
  createMetricsRegistry,
  judgeWal,
  type SlotHealth,
  type WalVerdict,
} from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { createSlotMetrics } from './slot-metrics.ts';
import { slotReadiness } from './slot-monitor.ts';

const gibibyte = 1024 ** 3;
const health: SlotHealth = {
  walStatus: 'extended',
  invalidationReason: undefined,
  isActive: true,
  confirmedFlushLsn: '0/20',
  restartLsn: '0/10',
  writtenBytes: 50 * gibibyte,
  lagBytes: 6 * gibibyte,
  retainedBytes: 6 * gibibyte,
  safeBytes: 2 * gibibyte,
  limitBytes: 8 * gibibyte,
  isAhead: false,
  catalogXminAge: 9,
  idleSeconds: undefined,
  idleLimitSeconds: undefined,
  oldest: undefined,
};
const judged = (over: Partial<SlotHealth>, bytesPerSecond?: number): WalVerdict =>
  judgeWal(
    { ...health, ...over },
    bytesPerSecond === undefined ? undefined : { bytesPerSecond, windowSeconds: 300 },
    { warnBytes: undefined, alarmBytes: undefined },
  );
const holder = { isStandby: false };

describe('readiness of the slot', () => {
  it('tells a warning, and is ready', () => {
    expect(slotReadiness(judged({ retainedBytes: 3 * gibibyte }), holder)).toEqual({
      ok: true,
      detail: expect.stringMatching(/^warn: Postgres keeps 3.0 GiB/) as string,
    });
  });

  it('is none in the alarm, with what removes it', () => {
    const { ok, detail } = slotReadiness(judged({}, gibibyte / 60), holder);
    expect(ok).toBe(false);
    expect(detail).toMatch(/^alarm: .* 2\.0 GiB, which is 2 min at this rate; see why Kafka/);
  });

  // Or a rollout that brings the repaired relay would wait for ever: the old one keeps the slot until the new one is ready.
  it('of a standby is there in the alarm too, since it keeps no log and is the way in for a cure', () => {
    expect(slotReadiness(judged({}), { isStandby: true }).ok).toBe(true);
  });

  it('is there for nobody when the slot is lost, or nothing is known', () => {
    for (const isStandby of [true, false]) {
      expect(slotReadiness(judged({ walStatus: 'lost' }), { isStandby }).ok).toBe(false);
      expect(slotReadiness(undefined, { isStandby })).toEqual({
        ok: false,
        detail: 'unknown: Postgres was not asked yet, or has no such slot',
      });
    }
  });
});

describe('the metrics of the slot', () => {
  async function shown(verdict: WalVerdict | undefined): Promise<string> {
    const registry = createMetricsRegistry({ prefix: 'relay_', version: '1' });
    createSlotMetrics(registry)(verdict);
    return registry.metrics();
  }

  it('show what the verdict says', async () => {
    const text = await shown(judged({}, gibibyte / 60));
    expect(text).toContain(`relay_slot_retained_wal_bytes ${6 * gibibyte}\n`);
    expect(text).toContain(`relay_slot_wal_alarm_bytes ${6 * gibibyte}\n`);
    expect(text).toContain(`relay_slot_wal_warn_bytes ${3 * gibibyte}\n`);
    expect(text).toContain('relay_slot_seconds_left 120\n');
    expect(text).toContain('relay_slot_catalog_xmin_age 9\n');
    expect(text).toContain('relay_slot_wal_state{state="alarm"} 1\n');
    expect(text).toContain('relay_slot_wal_state{state="ok"} 0\n');
    expect(text).toContain('relay_slot_wal_held_by{cause="unconfirmed"} 1\n');
    expect(text).toContain('relay_slot_wal_held_by{cause="transaction"} 0\n');
    expect(await shown(judged({}, -1))).toContain('relay_slot_seconds_left +Inf\n');
  });

  it('show nothing as 0 that is not known', async () => {
    const text = await shown(undefined);
    for (const name of [
      'relay_wal_lag_bytes',
      'relay_slot_retained_wal_bytes',
      'relay_slot_safe_wal_bytes',
      'relay_slot_wal_warn_bytes',
      'relay_slot_wal_alarm_bytes',
      'relay_slot_wal_growth_bytes_per_second',
      'relay_slot_seconds_left',
      'relay_slot_catalog_xmin_age',
      'relay_slot_wal_held_by{cause="unconfirmed"}',
    ])
      expect(text).toContain(`${name} Nan\n`);
    expect(text).toContain('relay_slot_wal_state{state="unknown"} 1\n');
    // Without a limit no time is known, and none is shown.
    const unlimited = judged({ safeBytes: undefined, limitBytes: undefined }, 5);
    expect(await shown(unlimited)).toContain('relay_slot_seconds_left Nan\n');
  });
});
