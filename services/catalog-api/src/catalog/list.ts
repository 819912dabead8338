import type { Aggregate } from './aggregate.ts';
import { assertSameHistory, readHorizon, type ChangesHorizon } from './changes-horizon.ts';
import { decodeCursor, encodeCursor, filterHash, foreignCursor, type Cursor } from './cursor.ts';
import { filterTexts, type ListFilters, type SortOrder } from './list-filters.ts';
import { assertKey, placeBeforeAll, reversed, type Place } from './list-order.ts';
import { planChanges, planList } from './list-plan.ts';
import { pageOf } from './page-of.ts';
import type { PageRow } from './page-rows.ts';
import { readPage } from './read-page.ts';
import { read, type CommandContext, type Reading } from './unit-of-work.ts';

/** Most entities of a page, and how many it has if nobody asks. */
export const maxLimit = 1_000;
export const defaultLimit = 100;

/** The place before all others, in an order of transactions. */
const firstId = '00000000-0000-0000-0000-000000000000';

/** What a caller asks of a list. */
export interface ListRequest {
  readonly cursor: string | undefined;
  readonly limit: number;
  /** The page ends before an entity that begins beyond these bytes; it has one at the least. */
  readonly maxBytes: number;
  readonly filters: ListFilters;
  readonly sort: SortOrder;
  /** The fields that are wanted; undefined for all. Of the others, what is large is not read. */
  readonly fields?: readonly string[] | undefined;
}

/** One page. No totals: counting costs a scan, and the answer is stale when it arrives (Zalando rule 254). */
export interface Page {
  /** Rows and not entities: to make one takes time in proportion to its size, so whoever sends them does it one by one. */
  readonly rows: readonly PageRow[];
  /** Their size as JSON, near enough to plan with. */
  readonly bytes: number;
  /** Cursors of the neighbours, where there are any. */
  readonly prev?: string;
  readonly next?: string;
  /** Where to ask later for what was changed since this walk began; at its end. */
  readonly changes?: string;
}

/**
 * One page of live entities in an order in which no two have one place. What does not change while all pages are read is on exactly one of them. A page ends early where its bytes are
 * used up, or where enough was looked at: whatever is asked, at most `maxLookedAt` rows are, beside those of the page.
 *
 * A walk in the order of changes (`updated_after`) ends with a cursor for what comes later, so that nothing is ever missed: it holds the horizon from before its first page. What was
 * committed by then is met by the walk, at its place or, changed meanwhile, in what comes later; everything else is above the horizon, whatever its clock said.
 * @throws ApiError INVALID_CURSOR
 */
export async function listEntities(
  context: CommandContext,
  aggregate: Aggregate,
  request: ListRequest,
): Promise<Page> {
  const { filters, sort } = request;
  const hash = filterHash(aggregate.plural, filterTexts(filters, sort));
  const cursor = request.cursor === undefined ? undefined : decodeCursor(request.cursor, hash);
  const encode = (made: Cursor): string => encodeCursor(made, hash);
  // Where rows are looked at there are statements that build on each other: what comes between them would push others out of their bounds.
  const atOnce =
    cursor?.direction === 'changes' || planList(aggregate, filters, sort).rest.length > 0;
  return read(
    context,
    aggregate,
    (db) =>
      cursor?.direction === 'changes'
        ? listChanges(db, aggregate, request, cursor, encode)
        : listWalk(db, aggregate, request, { cursor, direction: cursor?.direction }, encode),
    { atOnce },
  );
}

async function listWalk(
  db: Reading,
  aggregate: Aggregate,
  request: ListRequest,
  from: { readonly cursor: Cursor | undefined; readonly direction: 'next' | 'prev' | undefined },
  encode: (cursor: Cursor) => string,
): Promise<Page> {
  const { filters, sort } = request;
  const { cursor, direction } = from;
  const plan = planList(aggregate, filters, sort);
  const follows =
    filters.updatedAfter !== undefined && sort.by === 'updated_at' && !sort.descending;
  const [key = '', ...horizonParts] = (cursor?.key ?? '').split(':');
  if (cursor !== undefined) {
    assertKey(plan.order, key);
    if (horizonParts.length !== (follows ? 2 : 0)) throw foreignCursor();
  }
  const began = follows ? await horizonOf(db, aggregate, horizonParts) : undefined;
  const isBackwards = direction === 'prev';
  const after = cursor === undefined ? undefined : { id: cursor.id, key };
  const order = isBackwards ? reversed(plan.order) : plan.order;
  const found = await readPage(db, aggregate, { ...plan, order }, after, request);
  const page = pageOf(found, found.end, direction);
  const { rows, prev } = page;
  // Of what was before the reader nothing is there any more: he goes on at the beginning, since without a next this would be the end.
  const next = page.next ?? (isBackwards ? placeBeforeAll(plan.order) : undefined);
  const suffix = began === undefined ? '' : `:${began.before}:${began.history}`;
  const at = (way: 'next' | 'prev', { id, key: value }: Place): string =>
    encode({ direction: way, id, key: value + suffix });
  return {
    rows,
    bytes: found.bytes,
    ...(prev === undefined ? {} : { prev: at('prev', prev) }),
    ...(next === undefined ? {} : { next: at('next', next) }),
    ...(began === undefined || next !== undefined
      ? {}
      : { changes: encode({ direction: 'changes', id: firstId, key: suffix.slice(1) }) }),
  };
}

/** What transactions changed that were not over at the horizon of the cursor, and are now. */
async function listChanges(
  db: Reading,
  aggregate: Aggregate,
  request: ListRequest,
  cursor: Cursor,
  encode: (cursor: Cursor) => string,
): Promise<Page> {
  const [key = '', history] = cursor.key.split(':');
  const horizon = await readHorizon(db, aggregate);
  const plan = planChanges(aggregate, request.filters, horizon.before);
  assertKey(plan.order, key);
  if (history === undefined) throw foreignCursor();
  assertSameHistory(history, horizon);
  const found = await readPage(db, aggregate, plan, { id: cursor.id, key }, request);
  const { rows, next } = pageOf(found, found.end, 'next');
  const at = ({ id, key: value }: Place): string =>
    encode({ direction: 'changes', id, key: `${value}:${horizon.history}` });
  return {
    rows,
    bytes: found.bytes,
    ...(next === undefined
      ? { changes: at({ id: firstId, key: horizon.before }) }
      : { next: at(next) }),
  };
}

/** The horizon from before the first page of a walk: of now, or of its cursor. */
async function horizonOf(
  db: Reading,
  aggregate: Aggregate,
  parts: readonly string[],
): Promise<ChangesHorizon> {
  const [before, history] = parts;
  if (before === undefined || history === undefined) return readHorizon(db, aggregate);
  if (!/^\d{1,19}$/.test(before)) throw foreignCursor();
  return { before, history };
}
