import type { Row } from '@outbound/outbox';
import { asc, desc, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { foreignCursor } from './cursor.ts';

/** A place in an order: the value of its column, if it has one beside the id, and the id. */
export interface Place {
  readonly id: string;
  /** '' in the order of ids. */
  readonly key: string;
}

/** An order of rows in which none has the same place as another. An index has it. */
export interface ListOrder {
  /** Before the id. */
  readonly column: PgColumn | undefined;
  readonly id: PgColumn;
  readonly descending: boolean;
  /** How the value is written in a cursor, and what it may be there. */
  readonly toKey: (row: Row) => string;
  readonly pattern: RegExp;
  readonly toValue: (key: string) => SQL;
  /** Keys that no other is below and above. */
  readonly bounds: readonly [lowest: string, highest: string];
}

const noKey = {
  toKey: () => '',
  pattern: /^$/,
  toValue: (key: string) => sql`${key}`,
  bounds: ['', ''],
} as const;

export function orderById(id: PgColumn, descending = false): ListOrder {
  return { column: undefined, id, descending, ...noKey };
}

/** By a time to the millisecond. */
export function orderByMoment(column: PgColumn, id: PgColumn, descending: boolean): ListOrder {
  return {
    column,
    id,
    descending,
    toKey: (row) => String((row[keyOf(column)] as Date).getTime()),
    pattern: /^\d{1,14}$/,
    toValue: (key) => sql`${new Date(Number(key)).toISOString()}::timestamptz`,
    bounds: ['0', '99999999999999'],
  };
}

/** By an exact decimal. */
export function orderByAmount(column: PgColumn, id: PgColumn, descending: boolean): ListOrder {
  return {
    column,
    id,
    descending,
    toKey: (row) => String(row[keyOf(column)]),
    pattern: /^\d{1,11}(\.\d{1,4})?$/,
    toValue: (key) => sql`${key}::numeric`,
    bounds: ['0', '99999999999.9999'],
  };
}

/** By the number of a transaction. */
export function orderByTransaction(column: PgColumn, id: PgColumn): ListOrder {
  return {
    column,
    id,
    descending: false,
    toKey: (row) => String(row[keyOf(column)]),
    pattern: /^\d{1,19}$/,
    toValue: (key) => sql`${key}::xid8`,
    bounds: ['0', '9999999999999999999'],
  };
}

/** The place before all rows. */
export function placeBeforeAll({ descending, bounds: [lowest, highest] }: ListOrder): Place {
  return descending
    ? { id: 'ffffffff-ffff-ffff-ffff-ffffffffffff', key: highest }
    : { id: '00000000-0000-0000-0000-000000000000', key: lowest };
}

/** How the table's declaration calls the column. */
function keyOf(column: PgColumn): string {
  const entry = Object.entries(column.table).find(([, each]) => each === column);
  if (entry === undefined) throw new Error(`${column.name} is in no declaration`);
  return entry[0];
}

export function reversed(order: ListOrder): ListOrder {
  return { ...order, descending: !order.descending };
}

/** A value that the rows share, and whose index has them by id behind it. */
export interface Lead {
  readonly column: PgColumn;
  readonly value: string;
}

/**
 * The rows of a lead. Not by an equality: the planner would know that all values are one, and might look for them in the index of all ids, where those of a value can begin
 * behind hundreds of thousands of others.
 */
export function led({ column, value }: Lead): SQL {
  return sql`(${column} >= ${value} and ${column} <= ${value})`;
}

/** What stands behind `order by`. */
export function orderBy({ column, id, descending }: ListOrder, lead?: Lead): SQL {
  const way = descending ? desc : asc;
  if (lead !== undefined) return sql`${way(lead.column)}, ${way(id)}`;
  return column === undefined ? way(id) : sql`${way(column)}, ${way(id)}`;
}

/** The rows behind a place, in the order's direction, or up to it. */
export function behind(order: ListOrder, place: Place, lead?: Lead): SQL {
  return compare(order, place, order.descending ? sql`<` : sql`>`, lead);
}
export function upTo(order: ListOrder, place: Place, lead?: Lead): SQL {
  return compare(order, place, order.descending ? sql`>=` : sql`<=`, lead);
}

function compare(
  { column, id, toValue }: ListOrder,
  place: Place,
  operator: SQL,
  lead: Lead | undefined,
): SQL {
  if (lead !== undefined)
    return sql`(${lead.column}, ${id}) ${operator} (${lead.value}, ${place.id}::uuid)`;
  if (column === undefined) return sql`${id} ${operator} ${place.id}::uuid`;
  return sql`(${column}, ${id}) ${operator} (${toValue(place.key)}, ${place.id}::uuid)`;
}

/** @throws ApiError INVALID_CURSOR if the key is none of this order. */
export function assertKey({ pattern }: ListOrder, key: string): void {
  if (!pattern.test(key)) throw foreignCursor();
}
