import { describe, expect, it } from 'vitest';
import { pageOf } from './page-of.ts';

const place = (id: string) => ({ id, key: '' });
const read = (ids: string, hasMore = false) => ({
  rows: [...ids].map((id) => ({ place: place(id) })),
  hasMore,
});

describe('a page', () => {
  it.each([
    ['the only one', read('ab'), '', undefined, 'ab', undefined, undefined],
    ['the first of several', read('ab', true), '', undefined, 'ab', undefined, 'b'],
    ['one in the middle', read('cd', true), '', 'next', 'cd', 'c', 'd'],
    ['the last', read('e'), '', 'next', 'e', 'e', undefined],
    ['one in the middle, read backwards', read('dc', true), '', 'prev', 'cd', 'c', 'd'],
    ['the first, read backwards', read('ba'), '', 'prev', 'ab', undefined, 'b'],
    ['nothing', read(''), '', undefined, '', undefined, undefined],
    ['nothing after the last', read(''), '', 'next', '', undefined, undefined],
    ['some of what was looked at', read('ab'), 'k', undefined, 'ab', undefined, 'k'],
    ['some, and more than it has room for', read('ab', true), 'k', 'next', 'ab', 'a', 'b'],
    ['none of what was looked at first', read(''), 'k', undefined, '', undefined, 'k'],
    ['none of what was looked at', read(''), 'k', 'next', '', 'k', 'k'],
    ['none of what was looked at backwards', read(''), 'c', 'prev', '', 'c', 'c'],
    ['some of what was looked at backwards', read('ih'), 'c', 'prev', 'hi', 'c', 'i'],
  ] as const)('%s', (_name, found, end, direction, items, prev, next) => {
    const page = pageOf(found, end === '' ? undefined : place(end), direction);
    expect(page.rows.map((row) => row.place.id).join('')).toBe(items);
    expect(page.prev?.id).toBe(prev);
    expect(page.next?.id).toBe(next);
  });
});
