import { durationText } from '../units.ts';
import type { OpenTransaction, SlotHealth } from './slot-health.ts';

/** What can keep log for a slot. */
export const walHolders = [
  'nobody-reads',
  'unconfirmed',
  'transaction',
  'prepared-transaction',
  'lost',
] as const;

/** What keeps the log, and what removes it. */
export interface WalHolder {
  readonly cause: (typeof walHolders)[number];
  /** Follows "because". */
  readonly because: string;
  /** One sentence for the person who has to act. */
  readonly remedy: string;
}

/** Below this (one file of log) nothing is kept that would be worth a word. */
const littleBytes = 16 * 1024 * 1024;
/** A transaction that is younger is in nobody's way. */
const oldSeconds = 60;

/**
 * Why the server keeps log for the slot. Most of it is either behind what the slot has confirmed (then its reader is not there, or waits for Kafka),
 * or before it: restart_lsn stands where the oldest transaction began that was open at the confirmed position. Undefined where little is kept,
 * or where nothing can be said. Pure.
 */
export function walHolder(health: SlotHealth): WalHolder | undefined {
  const { isActive, lagBytes, retainedBytes, oldest } = health;
  if (isLost(health))
    return {
      cause: 'lost',
      because: isGivenUp(health)
        ? `Postgres gave the slot up (${health.invalidationReason ?? 'lost'})`
        : 'the slot has confirmed more than the log has, as when they were restored apart',
      remedy: 'run outbound recover: it makes a new slot and puts what is missing before it',
    };
  if (retainedBytes === undefined || retainedBytes < littleBytes) return undefined;
  if (!isActive)
    return {
      cause: 'nobody-reads',
      because: `no relay reads the slot${idleText(health)}`,
      remedy:
        'start the relay; if it is never to run again, drop the slot: select pg_drop_replication_slot',
    };
  if (lagBytes !== undefined && lagBytes > retainedBytes / 2)
    return {
      cause: 'unconfirmed',
      because: 'the relay has not confirmed it',
      remedy:
        'see why Kafka does not take it (readiness and log of the relay); it goes as the relay catches up',
    };
  if (!oldest) return undefined;
  // A slot that is being made waits for every transaction that writes, however young.
  const isBeingMade = health.confirmedFlushLsn === undefined;
  return isBeingMade || (oldest.seconds ?? 0) > oldSeconds ? transactionHolder(oldest) : undefined;
}

/** True if the slot is of no more use: a data gap. */
export function isLost(health: SlotHealth): boolean {
  return isGivenUp(health) || health.isAhead === true;
}

function isGivenUp({ walStatus, invalidationReason }: SlotHealth): boolean {
  return walStatus === 'lost' || invalidationReason !== undefined;
}

function transactionHolder({ pid, application, gid, seconds }: OpenTransaction): WalHolder {
  const open = seconds === undefined ? 'is open' : `is open for ${durationText(seconds)}`;
  if (gid !== undefined) {
    const quoted = `'${gid.replaceAll("'", "''")}'`;
    return {
      cause: 'prepared-transaction',
      because: `prepared transaction ${quoted} ${open}`,
      remedy: `end it in its database: commit prepared ${quoted}, or rollback prepared ${quoted}`,
    };
  }
  return {
    cause: 'transaction',
    because: `a transaction ${open} (process ${pid}${application === '' ? '' : `, ${application}`})`,
    remedy: `let it end, or end it: select pg_terminate_backend(${pid}); the log goes after it, when the relay has confirmed beyond its end`,
  };
}

function idleText({ idleSeconds }: SlotHealth): string {
  return idleSeconds === undefined ? '' : `, for ${durationText(idleSeconds)}`;
}
