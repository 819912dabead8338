import { describe, expect, it } from 'vitest';
import { slotHealth } from './slot-health.ts';

const row = {
  wal_status: 'reserved',
  active: true,
  confirmed_flush_lsn: '0/20',
  restart_lsn: '0/10',
  lag_bytes: '5',
  retained_bytes: '21',
  safe_wal_size: '1000',
};

describe('the health of a slot', () => {
  it('is what the server says, in bytes and positions', () => {
    expect(slotHealth(row)).toEqual({
      walStatus: 'reserved',
      isActive: true,
      confirmedFlushLsn: 0x20n,
      restartLsn: 0x10n,
      lagBytes: 5,
      retainedBytes: 21,
      safeBytes: 1000,
    });
  });

  // I11: a lost slot has no restart_lsn, and without a limit there is no margin.
  it('is unknown where the server does not say, never 0', () => {
    const lost = {
      ...row,
      wal_status: 'lost',
      restart_lsn: null,
      retained_bytes: null,
      safe_wal_size: null,
    };
    expect(slotHealth(lost)).toMatchObject({
      walStatus: 'lost',
      restartLsn: undefined,
      retainedBytes: undefined,
      safeBytes: undefined,
    });
  });

  it('has no negative lag when the slot confirmed more than was flushed a moment before', () => {
    expect(slotHealth({ ...row, lag_bytes: '-8' }).lagBytes).toBe(0);
  });

  it('keeps a margin that is used up: a negative one says that the slot may be lost at any moment', () => {
    expect(slotHealth({ ...row, safe_wal_size: '-16' }).safeBytes).toBe(-16);
  });
});
