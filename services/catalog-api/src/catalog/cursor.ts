import { createHash } from 'node:crypto';
import { ApiError } from '../errors.ts';

/** Where a page begins: after (or, going back, before) this place of the list's order; `changes` is the order of transactions. */
export interface Cursor {
  readonly direction: 'next' | 'prev' | 'changes';
  readonly id: string;
  /** What the order has before the id, as text; what it may be is up to the order. */
  readonly key: string;
}

/** A short hash of the list, its filters and its order: a cursor goes only with the list that made it. Source: Zalando rule 160. */
export function filterHash(
  list: string,
  filters: Readonly<Record<string, string | readonly string[]>>,
): string {
  const canonical = JSON.stringify([list, Object.entries(filters).sort()]);
  return createHash('sha256').update(canonical).digest('base64url').slice(0, 11);
}

const letters = { next: 'n', prev: 'p', changes: 'c' } as const;
const directions = { n: 'next', p: 'prev', c: 'changes' } as const;

/** The cursor as callers see it: opaque, safe in a URL. It grants nothing, so it is not signed. */
export function encodeCursor({ direction, id, key }: Cursor, hash: string): string {
  return Buffer.from(`${letters[direction]}${hash}${id}${key}`, 'latin1').toString('base64url');
}

/**
 * Reads a cursor of this list.
 * @throws ApiError INVALID_CURSOR if it is forged, cut, or of another list or other filters.
 */
export function decodeCursor(text: string, hash: string): Cursor {
  const plain = Buffer.from(text, 'base64url').toString('latin1');
  const match =
    /^([npc])([\w-]{11})([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})([\w.:-]{0,80})$/.exec(plain);
  const [, letter, hashed, id, key] = match ?? [];
  if (id === undefined || key === undefined || hashed !== hash) throw foreignCursor();
  return { direction: directions[letter as keyof typeof directions], id, key };
}

/** For a cursor that this list did not make. */
export function foreignCursor(): ApiError {
  return new ApiError(
    'INVALID_CURSOR',
    'The cursor was not made by this list with these filters. Follow the links of a page, and start again without a cursor when you change a filter.',
    { violations: [{ in: 'query', pointer: '/cursor', message: 'not a cursor of this list' }] },
  );
}
