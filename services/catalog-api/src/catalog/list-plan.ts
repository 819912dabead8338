import { and, eq, gt, inArray, isNotNull, isNull, sql, type SQL } from 'drizzle-orm';
import type { Aggregate, Search } from './aggregate.ts';
import type { ListFilters, SortOrder } from './list-filters.ts';
import {
  orderBy,
  orderByAmount,
  orderById,
  orderByMoment,
  orderByTransaction,
  led,
  type Lead,
  type ListOrder,
} from './list-order.ts';
import { documentOf, foundIds, isFound, searchQuery } from './search-query.ts';

/** A filter that may leave so few that they can all be looked at, in whatever order is wanted. */
export interface Candidate {
  /** At most so many ids, the cheap way. */
  readonly ids: (most: number) => SQL;
  /** What is still to be looked at row by row, if these ids are. */
  readonly rest: readonly SQL[];
}

/** Rows that an index has in the order, behind a value of theirs if there is a lead. */
export interface Branch {
  readonly condition: SQL;
  readonly lead?: Lead;
}

/**
 * How a page is found. An index gives rows in the order; what it does not know is looked at row by row. Each has a bound, whatever is asked: see `list.ts`.
 */
export interface ListPlan {
  readonly order: ListOrder;
  /** Conditions under each of which an index gives rows in the order. A row fulfils one of them at most. */
  readonly branches: readonly Branch[];
  /** What is looked at row by row. */
  readonly rest: readonly SQL[];
  /** Ways that are taken instead where few are left, if something is looked at row by row. */
  readonly candidates: readonly Candidate[];
}

interface Part {
  readonly condition: SQL;
  readonly leads?: readonly Lead[];
  readonly ids?: (most: number) => SQL;
  /** The order whose index knows it. */
  readonly order: SortOrder['by'] | undefined;
}

/** The plan of an ordinary list. */
export function planList(aggregate: Aggregate, filters: ListFilters, sort: SortOrder): ListPlan {
  const { table } = aggregate;
  const live = isNull(table.deletedAt);
  const parts = partsOf(aggregate, filters);
  const firstOfOrder = parts.find(({ order }) => order === sort.by);
  // Only one filter can be equal in the index by id; a range of an order is one part.
  const driver = sort.by === 'id' ? parts.find(({ leads }) => leads) : firstOfOrder;
  const others = (part: Part | undefined): readonly SQL[] =>
    parts.filter((each) => each !== part).map(({ condition }) => condition);
  return {
    order: orderOf(aggregate, sort),
    branches: driver?.leads?.map((lead) => ({
      condition: sql`${and(live, led(lead))}`,
      lead,
    })) ?? [{ condition: sql`${and(live, driver?.condition)}` }],
    rest: others(driver),
    candidates: parts.flatMap((part) =>
      part.ids === undefined ? [] : [{ ids: part.ids, rest: others(part) }],
    ),
  };
}

/** The plan of what was changed by transactions up to, and without, `before`. The moment of a change is asked no more: the order is the transactions'. */
export function planChanges(aggregate: Aggregate, filters: ListFilters, before: string): ListPlan {
  const { table } = aggregate;
  const { updatedAfter: _known, ...others } = filters;
  return {
    order: orderByTransaction(table.changedIn, table.id),
    branches: [{ condition: sql`${table.changedIn} < ${before}::xid8` }],
    rest: [
      isNull(table.deletedAt),
      ...partsOf(aggregate, others).map(({ condition }) => condition),
    ],
    candidates: [],
  };
}

/**
 * The plan of a snapshot: by id, and what is found by words is judged by the row itself, since the search is a second or two behind. Nothing is counted first: whoever asks reads all of it
 * anyway, and some of the rows at a time.
 */
export function planSnapshot(aggregate: Aggregate, filters: ListFilters): ListPlan {
  const { search } = aggregate;
  const { attributes, text: _words, ...others } = filters;
  const query = searchQuery(filters);
  const plan = planList(aggregate, { ...others, attributes: [] }, { by: 'id', descending: false });
  const found =
    query === undefined || search === undefined
      ? []
      : [
          sql`case when ${documentOf(search)} @@ ${query} then ${and(sql`true`, ...ambiguousParts(search, attributes))} else false end`,
        ];
  return { ...plan, rest: [...plan.rest, ...found], candidates: [] };
}

function orderOf(aggregate: Aggregate, { by, descending }: SortOrder): ListOrder {
  const { table, money } = aggregate;
  if (by === 'updated_at') return orderByMoment(table.updatedAt, table.id, descending);
  if (by === 'id') return orderById(table.id, descending);
  if (money === undefined) throw new Error(`${aggregate.plural} have no amount to be sorted by`);
  return orderByAmount(money.amount, table.id, descending);
}

function partsOf(aggregate: Aggregate, filters: ListFilters): readonly Part[] {
  const { table, search } = aggregate;
  const { updatedAfter } = filters;
  const query = searchQuery(filters);
  const parts: (Part | undefined)[] = [
    ...Object.keys(aggregate.filters).map((name) => equalPart(aggregate, name, filters)),
    updatedAfter && { condition: gt(table.updatedAt, updatedAfter), order: 'updated_at' },
    moneyPart(aggregate, filters),
  ];
  if (query !== undefined) {
    if (search === undefined) throw new Error(`${aggregate.plural} cannot be searched`);
    parts.push({
      condition: isFound(search, sql`${table.id}`, query),
      ids: (most) => foundIds(search, query, most),
      order: undefined,
    });
    // Only of what was found: no other JSON need be readable.
    for (const part of ambiguousParts(search, filters.attributes))
      parts.push({
        condition: sql`case when ${isFound(search, sql`${table.id}`, query)} then ${part} else false end`,
        order: undefined,
      });
  }
  return parts.filter((part) => part !== undefined);
}

/** The word of `a=b` with c is that of a with `b=c`: what tells them apart. */
function ambiguousParts(
  { attributes: column }: Search,
  attributes: ListFilters['attributes'],
): readonly SQL[] {
  return attributes
    .filter(({ key, value }) => `${key}${value}`.includes('='))
    .map(({ key, value }) => sql`${column} ->> ${key} = ${value}`);
}

function equalPart(
  { table, filters: declared }: Aggregate,
  name: string,
  { equals }: ListFilters,
): Part | undefined {
  const values = equals[name];
  const filter = declared[name];
  if (values === undefined || filter === undefined) return undefined;
  const leads = values.map((value) => ({ column: filter.column, value }));
  return {
    condition: inArray(filter.column, [...values]),
    leads,
    ids: (most) => {
      const each = leads.map(
        (lead) =>
          sql`(select ${table.id} as id from ${table} where ${and(isNull(table.deletedAt), led(lead))} order by ${orderBy(orderById(table.id), lead)} limit ${most})`,
      );
      return sql`select one.id from (${sql.join(each, sql` union all `)}) as one limit ${most}`;
    },
    order: undefined,
  };
}

function moneyPart({ money }: Aggregate, filters: ListFilters): Part | undefined {
  const range = filters.money;
  if (range === undefined || money === undefined) return undefined;
  const { min, max, currency } = range;
  const conditions = [
    eq(money.currency, currency),
    isNotNull(money.amount),
    min === undefined ? undefined : sql`${money.amount} >= ${min}::numeric`,
    max === undefined ? undefined : sql`${money.amount} <= ${max}::numeric`,
  ];
  return { condition: sql`${and(...conditions)}`, order: 'money' };
}
