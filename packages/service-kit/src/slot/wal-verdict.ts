import { bytesText, durationText } from '../units.ts';
import type { SlotHealth } from './slot-health.ts';
import { walThresholds, type WalBudget } from './wal-budget.ts';
import type { GrowthRate } from './wal-growth.ts';
import { isLost, walHolder, type WalHolder } from './wal-holder.ts';

/** `lost`: the slot was given up, or is ahead of the log: changes are missing. `unknown`: the server was not asked, or has no such slot. */
export const walStates = ['ok', 'warn', 'alarm', 'lost', 'unknown'] as const;
export type WalState = (typeof walStates)[number];

/** Shares of `idle_replication_slot_timeout` after which a slot without a reader is a warning, and an alarm. */
const idleWarnShare = 0.5;
const idleAlarmShare = 0.75;

/** How the log that is kept for a slot stands against its budget. Undefined is unknown, never 0 (I11). */
export interface WalVerdict {
  readonly state: WalState;
  readonly health: SlotHealth | undefined;
  /** Sizes in force; undefined while the server was not asked whether it has a limit. */
  readonly thresholds: { readonly warnBytes: number; readonly alarmBytes: number } | undefined;
  readonly growth: GrowthRate | undefined;
  /**
   * Until the server gives the slot up, at the present rate or because nobody reads it; Infinity if the log does not grow. Undefined where the
   * rate is unknown, and where no limit is set: then the disk is the limit, of which no statement tells.
   */
  readonly secondsLeft: number | undefined;
  readonly holder: WalHolder | undefined;
}

/** The one judge: readiness, metrics, status and doctor show what it says. Pure. */
export function judgeWal(
  health: SlotHealth | undefined,
  growth: GrowthRate | undefined,
  budget: WalBudget,
): WalVerdict {
  if (!health)
    return {
      state: 'unknown',
      health,
      thresholds: undefined,
      growth: undefined,
      secondsLeft: undefined,
      holder: undefined,
    };
  const thresholds = walThresholds(budget, limitInForce(health));
  return {
    state: stateOf(health, thresholds),
    health,
    thresholds,
    growth,
    secondsLeft: secondsLeft(health, growth),
    holder: walHolder(health),
  };
}

/** The smallest piece of log that the server gives up, unless it was set up with another size. */
const segmentBytes = 16 * 1024 * 1024;

/**
 * What the server keeps at the most. It counts in whole segments, and the one that it writes is never gone: below one, such as 0, the
 * setting says less than it keeps, so it is told by what is kept and what may still be written.
 */
function limitInForce({ limitBytes, retainedBytes, safeBytes }: SlotHealth): number | undefined {
  const isKnown = retainedBytes !== undefined && safeBytes !== undefined;
  if (limitBytes === undefined || limitBytes >= segmentBytes || !isKnown) return limitBytes;
  return Math.max(limitBytes, retainedBytes + safeBytes);
}

function stateOf(
  health: SlotHealth,
  { warnBytes, alarmBytes }: { warnBytes: number; alarmBytes: number },
): WalState {
  if (isLost(health)) return 'lost';
  const { retainedBytes, safeBytes, walStatus } = health;
  if (retainedBytes === undefined) return 'unknown';
  const idleShare = idleLeft(health)?.usedShare ?? 0;
  // Unreserved: the next checkpoint may give it up.
  const isNear = walStatus === 'unreserved' || (safeBytes !== undefined && safeBytes <= 0);
  if (retainedBytes >= alarmBytes || isNear || idleShare >= idleAlarmShare) return 'alarm';
  return retainedBytes >= warnBytes || idleShare >= idleWarnShare ? 'warn' : 'ok';
}

function idleLeft(health: SlotHealth): { seconds: number; usedShare: number } | undefined {
  const { idleSeconds, idleLimitSeconds, isActive } = health;
  if (isActive || idleSeconds === undefined || idleLimitSeconds === undefined) return undefined;
  return {
    seconds: Math.max(0, idleLimitSeconds - idleSeconds),
    usedShare: idleSeconds / idleLimitSeconds,
  };
}

function secondsLeft(health: SlotHealth, growth: GrowthRate | undefined): number | undefined {
  if (isLost(health)) return 0;
  const ofIdle = idleLeft(health)?.seconds;
  const ofLog = secondsOfLog(health.safeBytes, growth);
  if (ofIdle === undefined || ofLog === undefined) return ofIdle ?? ofLog;
  return Math.min(ofIdle, ofLog);
}

function secondsOfLog(
  safeBytes: number | undefined,
  growth: GrowthRate | undefined,
): number | undefined {
  if (safeBytes === undefined) return undefined;
  if (safeBytes <= 0) return 0;
  if (!growth) return undefined;
  return growth.bytesPerSecond <= 0 ? Infinity : safeBytes / growth.bytesPerSecond;
}

/** The verdict in one line: what is kept, against what, why, until when, and, where something has to be done, what. */
export function walText(verdict: WalVerdict): string {
  const { state, health, holder } = verdict;
  if (!health) return 'unknown: Postgres was not asked yet, or has no such slot';
  if (state === 'lost') return `lost: ${holder?.because ?? ''}; ${holder?.remedy ?? ''}`;
  const parts = [`${state}: ${keptText(verdict)}`, ...ends(verdict)];
  if (state !== 'ok' && holder) parts.push(holder.remedy);
  return parts.join('; ');
}

function keptText({ health, thresholds, holder, state }: WalVerdict): string {
  const kept = health?.retainedBytes;
  const size = kept === undefined ? 'an unknown amount' : bytesText(kept);
  const of =
    thresholds && state !== 'ok'
      ? ` (a warning from ${bytesText(thresholds.warnBytes)}, an alarm from ${bytesText(thresholds.alarmBytes)})`
      : '';
  return `Postgres keeps ${size} of log for the slot${of}${holder ? `, because ${holder.because}` : ''}`;
}

/** When it ends, or that nothing but the disk ends it. */
function ends({ health, growth }: WalVerdict): string[] {
  if (!health) return [];
  const { safeBytes } = health;
  const left = secondsOfLog(safeBytes, growth);
  const idle = idleLeft(health);
  const rate = growth
    ? growth.bytesPerSecond > 0
      ? `grows by ${bytesText(growth.bytesPerSecond)}/s over the last ${durationText(growth.windowSeconds)}`
      : `does not grow over the last ${durationText(growth.windowSeconds)}`
    : undefined;
  const parts = rate === undefined ? [] : [`it ${rate}`];
  if (safeBytes === undefined) parts.push('no limit is set: the disk is the limit');
  else if (safeBytes <= 0) parts.push('the next checkpoint may give the slot up');
  else
    parts.push(
      `the slot is given up after another ${bytesText(safeBytes)}${left !== undefined && Number.isFinite(left) ? `, which is ${durationText(Math.round(left))} at this rate` : ''}`,
    );
  if (idle)
    parts.push(
      `nobody reads it, so it is given up in ${durationText(Math.round(idle.seconds))} (idle_replication_slot_timeout)`,
    );
  return parts;
}
