import { and, eq, gt, isNull, lt, type SQL } from 'drizzle-orm';
import type { Aggregate } from './aggregate.ts';
import { decodeCursor, encodeCursor, filterHash } from './cursor.ts';
import { readPageRows, type PageRow } from './page-rows.ts';
import { read, type CommandContext } from './unit-of-work.ts';

/** Most entities of a page, and how many it has if nobody asks. */
export const maxLimit = 1_000;
export const defaultLimit = 100;

/** What a caller asks of a list. */
export interface ListRequest {
  readonly cursor: string | undefined;
  readonly limit: number;
  /** The page ends before an entity that begins beyond these bytes; it has one at the least. */
  readonly maxBytes: number;
  readonly filters: Readonly<Record<string, string>>;
}

/** One page, by id. No totals: counting costs a scan, and the answer is stale when it arrives (Zalando rule 254). */
export interface Page {
  /** Rows and not entities: to make one takes time in proportion to its size, so whoever sends them does it one by one. */
  readonly rows: readonly PageRow[];
  /** Their size as JSON, near enough to plan with. */
  readonly bytes: number;
  /** Cursors of the neighbours, where there are any. */
  readonly prev?: string;
  readonly next?: string;
}

/**
 * One page of live entities in the order of their ids, which for ids of version 7 is the order of their creation. An entity that exists while
 * all pages are read is on exactly one of them, whatever else is created or deleted meanwhile. A page ends early where its bytes are used up.
 * @throws ApiError INVALID_CURSOR
 */
export async function listEntities(
  context: CommandContext,
  aggregate: Aggregate,
  { cursor: cursorText, limit, maxBytes, filters }: ListRequest,
): Promise<Page> {
  const hash = filterHash(aggregate.plural, filters);
  const cursor = cursorText === undefined ? undefined : decodeCursor(cursorText, hash);
  const backwards = cursor?.direction === 'prev';
  const { table } = aggregate;
  const conditions: SQL[] = [isNull(table.deletedAt)];
  for (const [name, value] of Object.entries(filters)) {
    const filter = aggregate.filters[name];
    if (filter === undefined) throw new Error(`${aggregate.plural} have no filter ${name}`);
    conditions.push(eq(filter.column, value));
  }
  if (cursor !== undefined)
    conditions.push(backwards ? lt(table.id, cursor.id) : gt(table.id, cursor.id));
  const where = and(...conditions);
  const found = await read(context, aggregate, (db) =>
    readPageRows(db, table, { where, backwards, limit, maxBytes }),
  );
  const { rows, prev, next } = pageOf(found, cursor?.direction);
  return {
    rows,
    bytes: found.bytes,
    ...(prev === undefined ? {} : { prev: encodeCursor({ direction: 'prev', id: prev }, hash) }),
    ...(next === undefined ? {} : { next: encodeCursor({ direction: 'next', id: next }, hash) }),
  };
}

/**
 * The rows of a page in the order of ids, and the ids that its neighbours begin after.
 * @param direction undefined on the first page, which has nothing before it.
 */
export function pageOf<Read extends { readonly id: string }>(
  read: { readonly rows: readonly Read[]; readonly hasMore: boolean },
  direction: 'next' | 'prev' | undefined,
): { readonly rows: readonly Read[]; readonly prev?: string; readonly next?: string } {
  const { hasMore } = read;
  const rows = direction === 'prev' ? [...read.rows].reverse() : read.rows;
  const first = rows[0]?.id;
  const last = rows.at(-1)?.id;
  const hasPrev = direction === 'prev' ? hasMore : direction === 'next';
  const hasNext = direction === 'prev' || hasMore;
  return {
    rows,
    ...(hasPrev && first !== undefined ? { prev: first } : {}),
    ...(hasNext && last !== undefined ? { next: last } : {}),
  };
}
