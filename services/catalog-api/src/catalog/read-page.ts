import { and, getTableName, sql, type SQL } from 'drizzle-orm';
import type { Aggregate } from './aggregate.ts';
import { behind, orderBy, upTo, type Lead, type Place } from './list-order.ts';
import type { Candidate, ListPlan } from './list-plan.ts';
import { readPageRows, type PageRows } from './page-rows.ts';
import type { Reading } from './unit-of-work.ts';

/** Most rows that are looked at one by one for a page: it ends there, with what it has, and `next` goes on. */
export const maxLookedAt = 5_000;
/** A filter that leaves so many or fewer is taken as the way to the rows, in whatever order they are wanted. */
export const maxFew = 5_000;

/** How much of a list is wanted at a time. */
export interface PageSize {
  readonly limit: number;
  /** The page ends before an entity that begins beyond these bytes; it has one at the least. */
  readonly maxBytes: number;
  /** The fields that are wanted; undefined for all. Of the others, what is large is not read. */
  readonly fields?: readonly string[] | undefined;
  /** Most rows that are looked at one by one, `maxLookedAt` if it is not said. */
  readonly lookedAt?: number;
}

/** Rows in the plan's order behind a place; `end` is up to where rows were looked at, if there may be more behind it. */
export async function readPage(
  db: Reading,
  aggregate: Aggregate,
  plan: ListPlan,
  after: Place | undefined,
  { limit, maxBytes, fields, lookedAt = maxLookedAt }: PageSize,
): Promise<PageRows & { readonly end: Place | undefined }> {
  const { table } = aggregate;
  const { order, branches, rest } = plan;
  const name = sql.identifier(getTableName(table));
  const from = (lead?: Lead) => (after === undefined ? undefined : behind(order, after, lead));
  const without = Object.keys(aggregate.entity.shape).filter(
    (field) => fields !== undefined && !fields.includes(field),
  );
  const page = { limit, maxBytes, order, without };
  // Each with its own end, or the planner might take all rows of a value and sort them.
  const first = (most: number): SQL => {
    const each = branches.map(
      ({ condition, lead }) =>
        sql`(select * from ${table} where ${and(condition, from(lead))} order by ${orderBy(order, lead)} limit ${most})`,
    );
    return sql`(${sql.join(each, sql` union all `)}) as ${name}`;
  };
  if (rest.length === 0) {
    const rows = first(limit + 1);
    const found = await readPageRows(db, table, { ...page, from: rows, where: [] });
    return { ...found, end: undefined };
  }
  const few = await fewest(db, plan.candidates);
  if (few !== undefined) {
    // The fences keep the planner from going through everything instead, in the wanted order or not.
    const rows = sql`(select ${name}.* from (${few.ids(maxFew + 1)}) as few
      cross join lateral (select * from ${table} where ${table.id} = few.id offset 0) as ${name} offset 0) as ${name}`;
    const any = branches.map(({ condition }) => condition);
    const where = [from() ?? sql`true`, sql`(${sql.join(any, sql` or `)})`, ...few.rest];
    const found = await readPageRows(db, table, { ...page, from: rows, where });
    return { ...found, end: undefined };
  }
  const end = await placeAt(db, plan, first(lookedAt), lookedAt);
  // The same question again. With the end as a bound in it the planner would take two bounds of one order for a quarter of all rows, and go through the whole table.
  const rows = sql`(select * from ${first(lookedAt)} where ${end === undefined ? sql`true` : upTo(order, end)} order by ${orderBy(order)} offset 0) as ${name}`;
  return { ...(await readPageRows(db, table, { ...page, from: rows, where: rest })), end };
}

/** The candidate that leaves the fewest, if those are few. */
async function fewest(
  db: Reading,
  candidates: readonly Candidate[],
): Promise<Candidate | undefined> {
  if (candidates.length === 0) return undefined;
  const counts = candidates.map(
    ({ ids }) => sql`(select count(*)::int from (${ids(maxFew + 1)}) as counted)`,
  );
  const { rows } = await db.execute<{ counts: number[] }>(
    sql`select array[${sql.join(counts, sql`, `)}] as counts`,
  );
  const left = rows[0]?.counts ?? [];
  const least = Math.min(...left);
  return least > maxFew ? undefined : candidates[left.indexOf(least)];
}

/** The place of the row with this number in what an index gives; undefined if there are fewer. */
async function placeAt(
  db: Reading,
  { order }: ListPlan,
  rows: SQL,
  number: number,
): Promise<Place | undefined> {
  const { column, id } = order;
  const key = column === undefined ? sql`''` : keyText(order);
  const { rows: found } = await db.execute<{ id: string; key: string }>(
    sql`select ${id} as id, ${key} as key from ${rows} order by ${orderBy(order)} limit 1 offset ${number - 1}`,
  );
  return found[0];
}

function keyText({ column }: ListPlan['order']): SQL {
  return column?.getSQLType().startsWith('timestamp') === true
    ? sql`(extract(epoch from ${column}) * 1000)::bigint::text`
    : sql`${column}::text`;
}
