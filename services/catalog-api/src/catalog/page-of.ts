import type { Place } from './list-order.ts';

/**
 * The rows of a page in the order of the list, and the places that its neighbours begin behind.
 * @param end up to where rows were looked at, though there may be more behind it.
 * @param direction undefined on the first page, which has nothing before it.
 */
export function pageOf<Read extends { readonly place: Place }>(
  read: { readonly rows: readonly Read[]; readonly hasMore: boolean },
  end: Place | undefined,
  direction: 'next' | 'prev' | undefined,
): { readonly rows: readonly Read[]; readonly prev?: Place; readonly next?: Place } {
  const isBackwards = direction === 'prev';
  const rows = isBackwards ? [...read.rows].reverse() : read.rows;
  // Where reading stopped: at the last row that the page has room for, or where enough was looked at.
  const stopped = read.hasMore ? read.rows.at(-1)?.place : end;
  const first = rows[0]?.place ?? end;
  const last = rows.at(-1)?.place ?? end;
  const prev = isBackwards ? stopped : direction === 'next' ? first : undefined;
  const next = isBackwards ? last : stopped;
  return {
    rows,
    ...(prev === undefined ? {} : { prev }),
    ...(next === undefined ? {} : { next }),
  };
}
