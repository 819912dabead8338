import { judgeWal, type SlotHealth } from '@outbound/service-kit';
import { describe, expect, test } from 'vitest';
import { slotStatus } from '../status/slot-status.ts';
import { judgeRetainedLog } from './wal-check.ts';

const mebibyte = 1024 * 1024;
const health: SlotHealth = {
  walStatus: 'reserved',
  invalidationReason: undefined,
  isActive: false,
  confirmedFlushLsn: '0/20',
  restartLsn: '0/10',
  writtenBytes: 5000 * mebibyte,
  lagBytes: 400 * mebibyte,
  retainedBytes: 400 * mebibyte,
  safeBytes: 600 * mebibyte,
  limitBytes: 1000 * mebibyte,
  isAhead: false,
  catalogXminAge: 3,
  idleSeconds: undefined,
  idleLimitSeconds: undefined,
  oldest: undefined,
};
const judged = (over: Partial<SlotHealth> | undefined, bytesPerSecond = 0) =>
  judgeWal(
    over && { ...health, ...over },
    { bytesPerSecond, windowSeconds: 1 },
    { warnBytes: undefined, alarmBytes: undefined },
  );

describe('the log that the slot keeps', () => {
  test.each<[string, Partial<SlotHealth>, RegExp]>([
    ['ok', { retainedBytes: mebibyte }, /^ok: Postgres keeps 1.0 MiB/],
    ['warning', {}, /^warn: .*because no relay reads the slot/],
    ['fault', { retainedBytes: 800 * mebibyte }, /^alarm: /],
    ['fault', { walStatus: 'unreserved', safeBytes: -1 }, /the next checkpoint may give/],
  ])('is a finding of level %s for %o', (level, over, says) => {
    expect(judgeRetainedLog(judged(over))).toMatchObject([
      { check: 'retained log', level, says: expect.stringMatching(says) as string },
    ]);
  });

  test('has a cure where it is too much: what removes it, and how to win time', () => {
    const [finding] = judgeRetainedLog(judged({}));
    expect(finding?.fix).toMatch(/^start the relay; .*; raise max_slot_wal_keep_size/);
  });

  test('is nobody else’s finding where there is no slot, or no more of it', () => {
    expect(judgeRetainedLog(judged(undefined))).toEqual([]);
    expect(judgeRetainedLog(judged({ walStatus: 'lost', retainedBytes: undefined }))).toEqual([]);
    expect(judgeRetainedLog(judged({ isAhead: true }))).toEqual([]);
  });

  test('is in the status under the same verdict; what has no end has no time', () => {
    expect(slotStatus('outbound', judged({}, mebibyte))).toMatchObject({
      kept_by: 'no relay reads the slot',
      budget: { state: 'warn', seconds_left: 600, cause: 'nobody-reads', catalog_xmin_age: 3 },
    });
    expect(slotStatus('outbound', judged({}))?.budget.seconds_left).toBe(null);
    expect(slotStatus('outbound', judged(undefined))).toBe(undefined);
  });
});
