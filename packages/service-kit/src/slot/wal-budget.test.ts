import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { readConfig } from '../config.ts';
import type { SlotHealth } from './slot-health.ts';
import { healthySlot } from './test-support/healthy-slot.ts';
import { walBudget, walBudgetSettings, walThresholds } from './wal-budget.ts';
import { walHolder } from './wal-holder.ts';
import { judgeWal, walText } from './wal-verdict.ts';

const mebibyte = 1024 * 1024;
const none = { warnBytes: undefined, alarmBytes: undefined };
const settings = (env: Record<string, string>) =>
  walBudget(readConfig('X_', z.object(walBudgetSettings()), env), { prefix: 'X_' });

describe('the sizes of the budget', () => {
  test('follow from the limit of the server, where nobody has said any', () => {
    expect(walThresholds(none, 1000)).toEqual({ warnBytes: 375, alarmBytes: 750 });
  });

  test('are 5 and 10 GiB where the server has no limit', () => {
    expect(walThresholds(none, undefined)).toEqual({
      warnBytes: 5 * 1024 * mebibyte,
      alarmBytes: 10 * 1024 * mebibyte,
    });
  });

  test('are those that were said', () => {
    expect(walThresholds({ warnBytes: 100, alarmBytes: 800 }, 1000)).toEqual({
      warnBytes: 100,
      alarmBytes: 800,
    });
    expect(walThresholds({ ...none, alarmBytes: 500 }, undefined).warnBytes).toBe(250);
    expect(walThresholds({ ...none, warnBytes: 800 }, 1000).alarmBytes).toBe(800);
  });

  test('lie before the limit, whatever was said: an alarm that comes with the loss is none', () => {
    expect(walThresholds({ warnBytes: 5000, alarmBytes: 9000 }, 1000)).toEqual({
      warnBytes: 900,
      alarmBytes: 900,
    });
  });

  test('are refused if the alarm would come before the warning, with both names and values', () => {
    expect(() => settings({ X_WAL_WARN_BYTES: '2000000', X_WAL_ALARM_BYTES: '1999999' })).toThrow(
      /X_WAL_ALARM_BYTES \(1999999\) is below X_WAL_WARN_BYTES \(2000000\)/,
    );
    expect(settings({ X_WAL_ALARM_BYTES: '1999999' })).toEqual({ ...none, alarmBytes: 1_999_999 });
    expect(() => settings({ X_WAL_WARN_BYTES: '1k' })).toThrow(/X_WAL_WARN_BYTES/);
  });
});

describe('the state of the retained log', () => {
  it.each<[string, Partial<SlotHealth>]>([
    ['ok', {}],
    ['ok', { walStatus: 'extended', retainedBytes: 374 * mebibyte }],
    ['warn', { retainedBytes: 375 * mebibyte }],
    ['alarm', { retainedBytes: 750 * mebibyte }],
    ['alarm', { walStatus: 'unreserved' }],
    ['alarm', { safeBytes: 0 }],
    ['lost', { walStatus: 'lost', retainedBytes: undefined }],
    ['lost', { invalidationReason: 'idle_timeout' }],
    ['unknown', { retainedBytes: undefined, restartLsn: undefined }],
    ['ok', { isActive: false, idleSeconds: 10, idleLimitSeconds: 100 }],
    ['warn', { isActive: false, idleSeconds: 50, idleLimitSeconds: 100 }],
    ['alarm', { isActive: false, idleSeconds: 75, idleLimitSeconds: 100 }],
    ['ok', { isActive: false, idleSeconds: 75 }],
  ])('is %s of %o', (state, over) => {
    expect(judgeWal(healthySlot(over), undefined, none).state).toBe(state);
  });

  it('is no alarm for ever where the limit is less than a segment, by which the server keeps log all the same', () => {
    const state = (limitBytes: number, retained: number, safe: number | undefined) =>
      judgeWal(
        healthySlot({
          limitBytes,
          retainedBytes: retained * mebibyte,
          safeBytes: safe === undefined ? undefined : safe * mebibyte,
        }),
        undefined,
        none,
      ).state;
    expect([state(0, 0, 16), state(0, 5, 11), state(0, 6, 10), state(0, 12, 4)]).toEqual([
      ...['ok', 'ok', 'warn', 'alarm'],
    ]);
    expect(state(mebibyte, 1, 15)).toBe('ok');
    expect(state(0, 17, -1)).toBe('alarm');
  });

  it('is unknown, and nothing else is known, where the server was not asked', () => {
    expect(judgeWal(undefined, { bytesPerSecond: 1, windowSeconds: 1 }, none)).toEqual({
      state: 'unknown',
      health: undefined,
      thresholds: undefined,
      growth: undefined,
      secondsLeft: undefined,
      holder: undefined,
    });
  });
});

describe('the time that is left', () => {
  const left = (over: Partial<SlotHealth>, bytesPerSecond?: number) =>
    judgeWal(
      healthySlot(over),
      bytesPerSecond === undefined ? undefined : { bytesPerSecond, windowSeconds: 60 },
      none,
    ).secondsLeft;

  it('is the margin at the present rate', () => {
    expect(left({ safeBytes: 600 }, 10)).toBe(60);
    expect(left({ safeBytes: 600 }, 0)).toBe(Infinity);
    expect(left({ safeBytes: 600 }, -10)).toBe(Infinity);
    expect(left({ safeBytes: -1 })).toBe(0);
  });

  it('is unknown without a rate, and without a limit', () => {
    expect(left({ safeBytes: 600 })).toBe(undefined);
    expect(left({ safeBytes: undefined, limitBytes: undefined }, 10)).toBe(undefined);
  });

  it('is what the server gives a slot that nobody reads, if that is less', () => {
    const idle = { isActive: false, idleSeconds: 90, idleLimitSeconds: 100 };
    expect(left({ ...idle, safeBytes: 600 }, 1)).toBe(10);
    expect(left({ ...idle, safeBytes: 600 }, 100)).toBe(6);
    expect(left({ ...idle, safeBytes: undefined })).toBe(10);
  });
});

describe('what keeps the log', () => {
  const big = { retainedBytes: 900 * mebibyte };
  const old = { pid: 7, application: 'psql', gid: undefined, xid: '801', seconds: 300 };
  const cause = (over: Partial<SlotHealth>) => walHolder(healthySlot({ ...big, ...over }))?.cause;

  it.each<[string | undefined, Partial<SlotHealth>]>([
    [undefined, { retainedBytes: 1000, isActive: false }],
    [undefined, { retainedBytes: undefined }],
    ['nobody-reads', { isActive: false, oldest: old }],
    ['unconfirmed', { lagBytes: 800 * mebibyte }],
    // What is beyond the confirmed position is not kept by a transaction.
    ['unconfirmed', { lagBytes: 800 * mebibyte, oldest: old }],
    ['transaction', { oldest: old }],
    // Who may not see its age knows no more than that it writes.
    [undefined, { oldest: { ...old, seconds: undefined } }],
    [undefined, { oldest: { ...old, seconds: 3 } }],
    // A slot that is being made waits for every transaction that writes, however young.
    ['transaction', { oldest: { ...old, seconds: 3 }, confirmedFlushLsn: undefined }],
    ['prepared-transaction', { oldest: { ...old, pid: undefined, gid: 'two' } }],
    ['lost', { walStatus: 'lost', retainedBytes: undefined }],
  ])('is %s for %o', (expected, over) => {
    expect(cause(over)).toBe(expected);
  });

  it('is named with what removes it', () => {
    const held = (over: Partial<SlotHealth>) => walHolder(healthySlot({ ...big, ...over }));
    expect(held({ oldest: old })).toMatchObject({
      because: 'a transaction is open for 5 min (process 7, psql)',
      remedy: expect.stringContaining('pg_terminate_backend(7)') as string,
    });
    expect(
      held({ oldest: { ...old, pid: undefined, application: '', gid: "o'clock", seconds: 90 } }),
    ).toMatchObject({
      because: "prepared transaction 'o''clock' is open for 1 min 30 s",
      remedy: expect.stringContaining("rollback prepared 'o''clock'") as string,
    });
    expect(held({ walStatus: 'lost', invalidationReason: 'wal_removed' })).toMatchObject({
      because: 'Postgres gave the slot up (wal_removed)',
      remedy: expect.stringContaining('outbound recover') as string,
    });
  });
});

describe('the verdict in words', () => {
  const words = (over: Partial<SlotHealth>, bytesPerSecond?: number) =>
    walText(
      judgeWal(
        healthySlot(over),
        bytesPerSecond === undefined ? undefined : { bytesPerSecond, windowSeconds: 300 },
        none,
      ),
    );

  it('says what is kept, against what, why, until when, and what to do', () => {
    expect(
      words(
        { retainedBytes: 400 * mebibyte, safeBytes: 600 * mebibyte, lagBytes: 400 * mebibyte },
        mebibyte,
      ),
    ).toBe(
      'warn: Postgres keeps 400.0 MiB of log for the slot (a warning from 375.0 MiB, an alarm from 750.0 MiB), because the relay has not confirmed it; ' +
        'it grows by 1.0 MiB/s over the last 5 min; the slot is given up after another 600.0 MiB, which is 10 min at this rate; ' +
        'see why Kafka does not take it (readiness and log of the relay); it goes as the relay catches up',
    );
  });

  it('says that the disk is the limit where no other is set', () => {
    expect(words({ safeBytes: undefined, limitBytes: undefined }, 0)).toBe(
      'ok: Postgres keeps 1.0 MiB of log for the slot; it does not grow over the last 5 min; no limit is set: the disk is the limit',
    );
  });

  it('says when a slot that nobody reads is given up', () => {
    expect(words({ isActive: false, idleSeconds: 3000, idleLimitSeconds: 3600 })).toContain(
      'nobody reads it, so it is given up in 10 min (idle_replication_slot_timeout)',
    );
  });

  // The relay stops with exit code 11: it would skip what commits before the position that the slot has confirmed.
  it('of a slot that is ahead of the log is the same, however little is kept', () => {
    expect(words({ isAhead: true, isActive: false })).toBe(
      'lost: the slot has confirmed more than the log has, as when they were restored apart; ' +
        'run outbound recover: it makes a new slot and puts what is missing before it',
    );
    expect(judgeWal(healthySlot({ isAhead: true }), undefined, none)).toMatchObject({
      state: 'lost',
      secondsLeft: 0,
      holder: { cause: 'lost' },
    });
  });

  it('of a lost slot is the way back', () => {
    expect(words({ walStatus: 'lost', retainedBytes: undefined, safeBytes: undefined })).toBe(
      'lost: Postgres gave the slot up (lost); run outbound recover: it makes a new slot and puts what is missing before it',
    );
  });
});
