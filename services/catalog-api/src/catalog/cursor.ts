import { createHash } from 'node:crypto';
import { ApiError } from '../errors.ts';

/** Where a page of a list begins: after (or, going back, before) this id. */
export interface Cursor {
  readonly direction: 'next' | 'prev';
  readonly id: string;
}

/** A short hash of the list and its filters: a cursor goes only with the list that made it. Source: Zalando rule 160. */
export function filterHash(list: string, filters: Readonly<Record<string, string>>): string {
  const canonical = JSON.stringify([list, Object.entries(filters).sort()]);
  return createHash('sha256').update(canonical).digest('base64url').slice(0, 11);
}

/** The cursor as callers see it: opaque, safe in a URL. It grants nothing, so it is not signed. */
export function encodeCursor({ direction, id }: Cursor, hash: string): string {
  const way = direction === 'next' ? 'n' : 'p';
  return Buffer.from(`${way}${hash}${id}`, 'latin1').toString('base64url');
}

/**
 * Reads a cursor of this list.
 * @throws ApiError INVALID_CURSOR if it is forged, cut, or of another list or other filters.
 */
export function decodeCursor(text: string, hash: string): Cursor {
  const plain = Buffer.from(text, 'base64url').toString('latin1');
  const match = /^([np])([\w-]{11})([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(plain);
  const id = match?.[3];
  if (match === null || id === undefined || match[2] !== hash) {
    throw new ApiError(
      'INVALID_CURSOR',
      'The cursor was not made by this list with these filters. Follow the links of a page, and start again without a cursor when you change a filter.',
      {
        violations: [{ in: 'query', pointer: '/cursor', message: 'not a cursor of this list' }],
      },
    );
  }
  return { direction: match[1] === 'n' ? 'next' : 'prev', id };
}
