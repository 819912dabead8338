import type { SlotHealth } from '../slot-health.ts';

const mebibyte = 1024 * 1024;

/** A slot that is read, keeps next to nothing, and has a limit of 1,000 MiB; `over` says what is otherwise. */
export function healthySlot(over: Partial<SlotHealth> = {}): SlotHealth {
  return {
    walStatus: 'reserved',
    invalidationReason: undefined,
    isActive: true,
    confirmedFlushLsn: '0/20',
    restartLsn: '0/10',
    writtenBytes: 5000 * mebibyte,
    lagBytes: 0,
    retainedBytes: mebibyte,
    safeBytes: 999 * mebibyte,
    limitBytes: 1000 * mebibyte,
    isAhead: false,
    catalogXminAge: 3,
    idleSeconds: undefined,
    idleLimitSeconds: undefined,
    oldest: undefined,
    ...over,
  };
}
