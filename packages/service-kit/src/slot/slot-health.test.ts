import { describe, expect, it } from 'vitest';
import { slotHealth, type SlotHealthRow } from './slot-health.ts';

const row: SlotHealthRow = {
  wal_status: 'reserved',
  invalidation_reason: null,
  active: true,
  confirmed_flush_lsn: '0/20',
  restart_lsn: '0/10',
  written_bytes: '37',
  lag_bytes: '5',
  retained_bytes: '21',
  safe_wal_size: '1000',
  limit_bytes: '1021',
  is_ahead: false,
  catalog_xmin_age: '7',
  idle_seconds: null,
  idle_limit_seconds: '0.000000',
  oldest_pid: 4711,
  oldest_application: 'psql',
  oldest_gid: null,
  oldest_xid: '801',
  oldest_seconds: '61.5',
};

describe('the health of a slot', () => {
  it('is what the server says, in bytes and positions', () => {
    expect(slotHealth(row)).toEqual({
      walStatus: 'reserved',
      invalidationReason: undefined,
      isActive: true,
      confirmedFlushLsn: '0/20',
      restartLsn: '0/10',
      writtenBytes: 37,
      lagBytes: 5,
      retainedBytes: 21,
      safeBytes: 1000,
      limitBytes: 1021,
      isAhead: false,
      catalogXminAge: 7,
      idleSeconds: undefined,
      idleLimitSeconds: undefined,
      oldest: { pid: 4711, application: 'psql', gid: undefined, xid: '801', seconds: 61.5 },
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
      limit_bytes: null,
      is_ahead: null,
      catalog_xmin_age: null,
      oldest_seconds: null,
    };
    expect(slotHealth(lost)).toMatchObject({
      walStatus: 'lost',
      restartLsn: undefined,
      retainedBytes: undefined,
      safeBytes: undefined,
      limitBytes: undefined,
      isAhead: undefined,
      catalogXminAge: undefined,
      oldest: { seconds: undefined },
    });
  });

  it('has no negative lag when the slot confirmed more than was flushed a moment before', () => {
    expect(slotHealth({ ...row, lag_bytes: '-8' }).lagBytes).toBe(0);
  });

  it('keeps a margin that is used up: a negative one says that the slot may be lost at any moment', () => {
    expect(slotHealth({ ...row, safe_wal_size: '-16' }).safeBytes).toBe(-16);
  });

  it('is idle only while nobody reads it, and given up for that only where the server does so', () => {
    const idle = { ...row, idle_seconds: '90.2', idle_limit_seconds: '3600' };
    expect(slotHealth(idle)).toMatchObject({ idleSeconds: undefined, idleLimitSeconds: 3600 });
    expect(slotHealth({ ...idle, active: false }).idleSeconds).toBe(90.2);
  });
});
