import type { Entity, Row } from '@outbound/schemas';
import { and, asc, desc, eq, gt, isNull, lt, type SQL } from 'drizzle-orm';
import type { Aggregate } from './aggregate.ts';
import { decodeCursor, encodeCursor, filterHash } from './cursor.ts';
import { read, type CommandContext } from './unit-of-work.ts';

/** Most entities of a page, and how many it has if nobody asks. */
export const maxLimit = 1_000;
export const defaultLimit = 100;

/** What a caller asks of a list. */
export interface ListRequest {
  readonly cursor: string | undefined;
  readonly limit: number;
  readonly filters: Readonly<Record<string, string>>;
}

/** One page, by id. No totals: counting costs a scan, and the answer is stale when it arrives (Zalando rule 254). */
export interface Page {
  readonly items: readonly Entity[];
  /** Cursors of the neighbours, where there are any. */
  readonly prev?: string;
  readonly next?: string;
}

/**
 * One page of live entities in the order of their ids, which for ids of version 7 is the order of their creation. An entity that exists while
 * all pages are read is on exactly one of them, whatever else is created or deleted meanwhile.
 * @throws ApiError INVALID_CURSOR
 */
export async function listEntities(
  context: CommandContext,
  aggregate: Aggregate,
  { cursor: cursorText, limit, filters }: ListRequest,
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
  const rows: Row[] = await read(context, aggregate, (db) =>
    db
      .select()
      .from(table)
      .where(and(...conditions))
      .orderBy(backwards ? desc(table.id) : asc(table.id))
      .limit(limit + 1),
  );
  const page = pageOf(
    rows.map((row) => aggregate.toEntity(row)),
    limit,
    cursor?.direction,
  );
  return {
    items: page.items,
    ...(page.prev === undefined
      ? {}
      : { prev: encodeCursor({ direction: 'prev', id: page.prev }, hash) }),
    ...(page.next === undefined
      ? {}
      : { next: encodeCursor({ direction: 'next', id: page.next }, hash) }),
  };
}

/**
 * Cuts what was read, which is one more than the page if there is more in the direction of reading.
 * @param direction undefined on the first page, which has nothing before it.
 */
export function pageOf(
  read: readonly Entity[],
  limit: number,
  direction: 'next' | 'prev' | undefined,
): { readonly items: readonly Entity[]; readonly prev?: string; readonly next?: string } {
  const hasMore = read.length > limit;
  const kept = read.slice(0, limit);
  const items = direction === 'prev' ? kept.reverse() : kept;
  const first = items[0]?.id;
  const last = items.at(-1)?.id;
  const hasPrev = direction === 'prev' ? hasMore : direction === 'next';
  const hasNext = direction === 'prev' || hasMore;
  return {
    items,
    ...(hasPrev && first !== undefined ? { prev: first } : {}),
    ...(hasNext && last !== undefined ? { next: last } : {}),
  };
}
