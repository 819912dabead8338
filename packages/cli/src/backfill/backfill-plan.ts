import type { StoredAggregate } from '@outbound/outbox';
import { and, getTableColumns, gt, isNull, sql, type SQL } from 'drizzle-orm';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { OperationFacts } from '../operations/operation.ts';

/** Which entities a backfill goes through, and how fast. */
export interface BackfillPlan {
  /** Name of the stored aggregate: `product`. */
  readonly aggregate: string;
  /** Both included. */
  readonly fromId?: string | undefined;
  readonly toId?: string | undefined;
  /** `column=value`, all of which must hold. */
  readonly where: readonly string[];
  /** RFC 3339: rows that were changed at or after this. */
  readonly updatedSince?: string | undefined;
  /** Leaves deleted rows out; otherwise they get a D event, so that a compacted topic has their tombstone. */
  readonly liveOnly: boolean;
  /** Entities in one transaction. */
  readonly chunk: number;
  /** Entities per second; 0 is as fast as the database takes them. */
  readonly ratePerSecond: number;
}

/** What the command line says, before it is checked. */
export interface BackfillOptions {
  readonly fromId?: string;
  readonly toId?: string;
  readonly where?: readonly string[];
  readonly updatedSince?: string;
  readonly liveOnly?: boolean;
  /** 500 if it is not said. */
  readonly chunk?: string;
  /** 1000 if it is not said. */
  readonly rate?: string;
}

/** Chunks are row locks held together, and one transaction for the relay. */
const maxChunk = 5000;

/** @throws CliError BACKFILL_INVALID naming the option and its value. */
export function backfillPlan(aggregate: string, options: BackfillOptions): BackfillPlan {
  const { fromId, toId, updatedSince } = options;
  if (updatedSince !== undefined && Number.isNaN(Date.parse(updatedSince)))
    refuse(`--updated-since ${updatedSince} is not a time such as 2026-03-01T12:00:00Z`);
  return {
    aggregate,
    ...(fromId === undefined ? {} : { fromId }),
    ...(toId === undefined ? {} : { toId }),
    where: options.where ?? [],
    ...(updatedSince === undefined ? {} : { updatedSince: new Date(updatedSince).toISOString() }),
    liveOnly: options.liveOnly === true,
    chunk: 500,
    ratePerSecond: 1000,
    ...paceOf(options),
  };
}

/** What was said of the pace. @throws CliError BACKFILL_INVALID */
function paceOf({
  chunk,
  rate,
}: BackfillOptions): Partial<Pick<BackfillPlan, 'chunk' | 'ratePerSecond'>> {
  return {
    ...(chunk === undefined ? {} : { chunk: wholeNumber('--chunk', chunk, 1, maxChunk) }),
    ...(rate === undefined
      ? {}
      : { ratePerSecond: wholeNumber('--rate', rate.replace(/\/s$/, ''), 0, 1_000_000) }),
  };
}

/**
 * The plan of an operation that goes on: the same entities, at the pace that is asked for now. @throws CliError
 * BACKFILL_INVALID
 */
export function resumedPlan(facts: OperationFacts, options: BackfillOptions): BackfillPlan {
  return { ...planFromFacts(facts), ...paceOf(options) };
}

/** The plan as it is noted in the operation, and back. */
export function planToFacts(plan: BackfillPlan): OperationFacts {
  const { where, fromId, toId, updatedSince, ...rest } = plan;
  return {
    ...rest,
    fromId: fromId ?? null,
    toId: toId ?? null,
    updatedSince: updatedSince ?? null,
    where: JSON.stringify(where),
  };
}

/** The plan of an operation that was noted with `planToFacts`. */
export function planFromFacts(facts: OperationFacts): BackfillPlan {
  const text = (name: string) => {
    const value = facts[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    aggregate: text('aggregate') ?? '',
    fromId: text('fromId'),
    toId: text('toId'),
    updatedSince: text('updatedSince'),
    where: JSON.parse(text('where') ?? '[]') as string[],
    liveOnly: facts['liveOnly'] === true,
    chunk: Number(facts['chunk']),
    ratePerSecond: Number(facts['ratePerSecond']),
  };
}

/**
 * The plan's rows as a condition, `after` excluded. Columns come from the table's declaration, values are parameters
 * whose type the server
 * takes from the column.
 * @throws CliError BACKFILL_INVALID for a column that the table does not have, or that cannot be compared.
 */
export function planCondition(
  { table }: StoredAggregate,
  plan: BackfillPlan,
  after: string | undefined,
): SQL | undefined {
  return and(
    ...(plan.fromId === undefined ? [] : [sql`${table.id} >= ${plan.fromId}`]),
    ...(plan.toId === undefined ? [] : [sql`${table.id} <= ${plan.toId}`]),
    ...(after === undefined ? [] : [gt(table.id, after)]),
    ...(plan.updatedSince === undefined ? [] : [sql`${table.updatedAt} >= ${plan.updatedSince}`]),
    ...(plan.liveOnly ? [isNull(table.deletedAt)] : []),
    ...plan.where.map((term) => equality(table, term)),
  );
}

function equality(table: StoredAggregate['table'], term: string): SQL {
  const at = term.indexOf('=');
  if (at < 1) refuse(`--where ${term} is not of the form column=value`);
  const name = term.slice(0, at);
  const columns = Object.values(getTableColumns(table)).filter(
    (column) => column.getSQLType() !== 'json',
  );
  const column = columns.find((each) => each.name === name);
  if (!column)
    return refuse(
      `--where ${name}=…: there is no such column; there are ${columns.map((each) => each.name).join(', ')}`,
    );
  return sql`${column} = ${term.slice(at + 1)}`;
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    refuse(`${option} ${text} is not a whole number from ${least} to ${most}`);
  return value;
}

function refuse(why: string): never {
  throw new CliError('BACKFILL_INVALID', why, { exitCode: exitCodes.usage });
}
