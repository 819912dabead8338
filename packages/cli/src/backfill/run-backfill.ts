import { setTimeout as delay } from 'node:timers/promises';
import type { Database, StoredAggregate } from '@outbound/outbox';
import { asc } from 'drizzle-orm';
import type { OperationFacts } from '../operations/operation.ts';
import { emitSnapshots } from '../snapshots/emit-snapshots.ts';
import { planCondition, type BackfillPlan } from './backfill-plan.ts';
import { waitMs } from './pace.ts';

/** What a backfill has done, this run and those that it continues together. */
export interface BackfillCounts {
  readonly snapshots: number;
  readonly deletions: number;
  /** Rows that were gone for good between being found and being locked. */
  readonly missing: number;
}

/** Where a backfill stands: after `lastId`, everything before is emitted. */
export interface BackfillProgress extends BackfillCounts {
  readonly lastId: string | undefined;
}

export const backfillStart: BackfillProgress = {
  lastId: undefined,
  snapshots: 0,
  deletions: 0,
  missing: 0,
};

interface BackfillRun {
  readonly db: Database;
  readonly aggregate: StoredAggregate;
  readonly plan: BackfillPlan;
  readonly from: BackfillProgress;
  /** Called after each chunk, once it is committed; noted before the next one begins. */
  readonly onChunk: (progress: BackfillProgress) => Promise<void>;
  /** Ends the run after the chunk that is under way. */
  readonly signal: AbortSignal;
}

/**
 * Emits the current state of every entity of the plan, chunk after chunk in id order. Gives where it ended:
 * `isComplete` is false if the
 * signal came first. A run that is killed between a chunk and its note emits that chunk again when it is resumed: an S
 * event says what is,
 * so twice is as good as once.
 */
export async function runBackfill(
  run: BackfillRun,
): Promise<{ readonly progress: BackfillProgress; readonly isComplete: boolean }> {
  const { db, aggregate, plan, signal } = run;
  const { table } = aggregate;
  const startedMs = performance.now();
  let progress = run.from;
  let done = 0;
  while (!signal.aborted) {
    const rows = await db
      .select({ id: table.id })
      .from(table)
      .where(planCondition(aggregate, plan, progress.lastId))
      .orderBy(asc(table.id))
      .limit(plan.chunk);
    const ids = rows.map(({ id }) => String(id));
    const lastId = ids.at(-1);
    if (lastId === undefined) return { progress, isComplete: true };
    const emitted = await emitSnapshots(db, aggregate, ids);
    progress = {
      lastId,
      snapshots: progress.snapshots + emitted.snapshots,
      deletions: progress.deletions + emitted.deletions,
      missing: progress.missing + emitted.missing.length,
    };
    done += ids.length;
    await run.onChunk(progress);
    const pace = { done, total: undefined, elapsedMs: performance.now() - startedMs };
    await pause(waitMs(pace, plan.ratePerSecond), signal);
  }
  return { progress, isComplete: false };
}

/** The progress as it is noted in the operation. */
export function progressToFacts({ lastId, ...counts }: BackfillProgress): OperationFacts {
  return { lastId: lastId ?? null, ...counts };
}

/** The progress of an operation, to go on from. */
export function progressFromFacts(facts: OperationFacts): BackfillProgress {
  const { lastId } = facts;
  return {
    lastId: typeof lastId === 'string' ? lastId : undefined,
    snapshots: Number(facts['snapshots'] ?? 0),
    deletions: Number(facts['deletions'] ?? 0),
    missing: Number(facts['missing'] ?? 0),
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  // An abort is the end of waiting, not an error.
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
