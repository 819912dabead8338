import { createDatabase, type Database, type StoredAggregate } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import { sql } from 'drizzle-orm';
import type pg from 'pg';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { oneAtATime } from '../operations/one-at-a-time.ts';
import { recorded } from '../operations/operation.ts';
import {
  closeOperation,
  unfinishedOperation,
  type UnfinishedOperation,
} from '../operations/unfinished-operation.ts';
import type { AddVerb } from '../verb.ts';
import {
  backfillPlan,
  planCondition,
  resumedPlan,
  planToFacts,
  type BackfillOptions,
  type BackfillPlan,
} from './backfill-plan.ts';
import { durationText, paceText } from './pace.ts';
import {
  backfillStart,
  progressFromFacts,
  progressToFacts,
  runBackfill,
  type BackfillProgress,
} from './run-backfill.ts';

interface Options extends BackfillOptions {
  /** True without an id: the last one that is unfinished. */
  readonly resume?: string | true;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const noteEveryMs = 2000;

/**
 * `outbound backfill AGGREGATE`: emits what the entities are now, through the outbox, while everything else goes on.
 */
export const addBackfill: AddVerb = (verb, bind) => {
  verb
    .argument('<aggregate>', [...storedAggregates.keys()].join(', '))
    .option('--from-id <id>', 'from this id on')
    .option('--to-id <id>', 'up to this id')
    .option('--where <column=value>', 'only rows with this value; may be repeated', collect)
    .option('--updated-since <time>', 'only rows changed since, e.g. 2026-03-01T12:00:00Z')
    .option('--live-only', 'leave out deleted rows')
    .option('--chunk <n>', 'entities in one transaction (500)')
    .option('--rate <n/s>', 'entities per second; 0 for no limit (1000)')
    .option(
      '--resume [operation]',
      'go on with an unfinished run; the last one if no id is given. --rate and --chunk may be others',
    )
    .option('--dry-run', 'show what would be done')
    .option('-y, --yes', 'do it without asking')
    .addHelpText(
      'after',
      '\nA new topic is filled like this: declare its route, provision it, restart the relay, then backfill the aggregate.\nA run that was interrupted or killed is resumed with --resume.',
    )
    .action(bind(backfill));
};

async function backfill(context: CliContext, name: string, options: Options): Promise<ExitCode> {
  const aggregate = storedAggregates.get(name);
  if (!aggregate)
    throw new CliError(
      'AGGREGATE_UNKNOWN',
      `there is no aggregate "${name}"; there are ${[...storedAggregates.keys()].join(', ')}`,
      { exitCode: exitCodes.usage },
    );
  const { resume, fromId, toId, where, updatedSince, liveOnly } = options;
  if (
    resume !== undefined &&
    [fromId, toId, where, updatedSince, liveOnly].some((each) => each !== undefined)
  )
    throw new CliError(
      'BACKFILL_INVALID',
      'a run is resumed with the filters that it had: leave out the others, or begin a new one without --resume',
      { exitCode: exitCodes.usage },
    );
  const asked = backfillPlan(name, options);
  const pool = await context.database();
  return oneAtATime(pool, `backfill of ${name}`, async () => {
    const db = createDatabase(pool);
    const open = await openRun(pool, name, options);
    const isResumed = options.resume !== undefined;
    if (open && !isResumed) context.output.note(unfinishedText(open));
    const plan = open && isResumed ? resumedPlan(open.parameters, options) : asked;
    const from = open && isResumed ? progressFromFacts(open.progress) : backfillStart;
    const count = await countRows(db, aggregate, plan, from);
    context.output.note(previewText(plan, count, from));
    if (options.dryRun === true) {
      context.output.answer({ aggregate: name, dryRun: true, ...count }, 'nothing was done');
      return exitCodes.done;
    }
    await context.confirm(`Emit ${count.live + count.deleted} events?`, {
      yes: options.yes === true,
    });
    const run = { context, pool, db, aggregate, plan, from, total: count.live + count.deleted };
    return emit(run, open && { ...open, isResumed });
  });
}

/** The run that is to be continued, or that is unfinished. */
async function openRun(pool: pg.Pool, name: string, { resume }: Options) {
  const open = await unfinishedOperation(
    pool,
    'backfill',
    ['aggregate', name],
    typeof resume === 'string' ? resume : undefined,
  );
  if (resume !== undefined && !open)
    throw new CliError(
      'OPERATION_UNKNOWN',
      `there is no unfinished backfill of ${name}${resume === true ? '' : ` with id ${resume}`}: begin one without --resume`,
      { exitCode: exitCodes.usage },
    );
  return open;
}

async function emit(
  run: {
    readonly context: CliContext;
    readonly pool: pg.Pool;
    readonly db: Database;
    readonly aggregate: StoredAggregate;
    readonly plan: BackfillPlan;
    readonly from: BackfillProgress;
    readonly total: number;
  },
  open: (UnfinishedOperation & { readonly isResumed: boolean }) | undefined,
): Promise<ExitCode> {
  const { context, pool, plan, from, total } = run;
  const parameters = {
    ...planToFacts(plan),
    resumes: open?.isResumed === true ? open.id : null,
  };
  return recorded(pool, { verb: 'backfill', parameters }, async (operation) => {
    // Where it begins, so that a run which is killed before its first chunk can be resumed as well.
    await operation.progress(progressToFacts(from));
    if (open) await closeOperation(pool, open.id, open.isResumed ? 'resumed' : 'abandoned');
    const startedMs = performance.now();
    let notedMs = startedMs;
    const pace = (now: BackfillProgress) => ({
      done: doneOf(now) - doneOf(from),
      total,
      elapsedMs: performance.now() - startedMs,
    });
    const { progress, isComplete } = await runBackfill({
      ...run,
      signal: context.signal,
      onChunk: async (now) => {
        await operation.progress(progressToFacts(now));
        if (performance.now() - notedMs < noteEveryMs) return;
        notedMs = performance.now();
        context.output.note(paceText(pace(now)));
      },
    });
    if (!isComplete) {
      const how = `interrupted after ${doneOf(progress)} entities; outbound backfill ${plan.aggregate} --resume ${operation.id} goes on`;
      context.output.note(how);
      throw new CliError('INTERRUPTED', how, { exitCode: exitCodes.interrupted });
    }
    const { lastId: _, ...counts } = progress;
    const elapsedMs = Math.round(performance.now() - startedMs);
    context.output.answer(
      { aggregate: plan.aggregate, operation: operation.id, ...counts, elapsedMs },
      `emitted ${counts.snapshots} snapshots and ${counts.deletions} deletions of ${plan.aggregate} in ${durationText(elapsedMs / 1000)}; the relay delivers them (outbound status)`,
    );
    return exitCodes.done;
  });
}

interface RowCount {
  readonly live: number;
  readonly deleted: number;
}

async function countRows(
  db: Database,
  aggregate: StoredAggregate,
  plan: BackfillPlan,
  { lastId }: BackfillProgress,
): Promise<RowCount> {
  const { table } = aggregate;
  const condition = planCondition(aggregate, plan, lastId);
  try {
    const [row] = await db
      .select({
        live: sql<string>`count(*) filter (where ${table.deletedAt} is null)`,
        deleted: sql<string>`count(*) filter (where ${table.deletedAt} is not null)`,
      })
      .from(table)
      .where(condition);
    return { live: Number(row?.live), deleted: Number(row?.deleted) };
  } catch (thrown) {
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
    // Class 22: the value does not fit the column.
    if (cause instanceof Error && 'code' in cause && /^22/.test(String(cause.code)))
      throw new CliError('BACKFILL_INVALID', `a value does not fit its column: ${cause.message}`, {
        exitCode: exitCodes.usage,
        cause,
      });
    throw thrown;
  }
}

function doneOf({ snapshots, deletions, missing }: BackfillProgress): number {
  return snapshots + deletions + missing;
}

function previewText(plan: BackfillPlan, { live, deleted }: RowCount, from: BackfillProgress) {
  const { chunk, ratePerSecond } = plan;
  const total = live + deleted;
  const speed =
    ratePerSecond === 0
      ? 'without a limit'
      : `at ${ratePerSecond}/s: at least ${durationText(total / ratePerSecond)}`;
  return `${plan.aggregate}: ${live} live (S events) and ${deleted} deleted (D events, tombstones)${from.lastId === undefined ? '' : ` after ${from.lastId}`}, in ${Math.ceil(total / chunk)} transactions of up to ${chunk}, ${speed}`;
}

function unfinishedText({ id, startedAt, outcome, progress }: UnfinishedOperation): string {
  return `an earlier run of ${startedAt.toISOString()} ${outcome === null ? 'was killed' : `ended with ${outcome}`} after ${doneOf(progressFromFacts(progress))} entities: --resume ${id} goes on with it; a new run gives it up`;
}

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}
