import { describe, expect, it } from 'vitest';
import { pageOf } from './list.ts';

const read = (ids: string, hasMore = false) => ({ rows: [...ids].map((id) => ({ id })), hasMore });

describe('a page', () => {
  it.each([
    ['the only one', read('ab'), undefined, 'ab', undefined, undefined],
    ['the first of several', read('ab', true), undefined, 'ab', undefined, 'b'],
    ['one in the middle', read('cd', true), 'next', 'cd', 'c', 'd'],
    ['the last', read('e'), 'next', 'e', 'e', undefined],
    ['one in the middle, read backwards', read('dc', true), 'prev', 'cd', 'c', 'd'],
    ['the first, read backwards', read('ba'), 'prev', 'ab', undefined, 'b'],
    ['nothing', read(''), undefined, '', undefined, undefined],
    ['nothing after the last', read(''), 'next', '', undefined, undefined],
  ] as const)('%s', (_name, found, direction, items, prev, next) => {
    const page = pageOf(found, direction);
    expect(page.rows.map(({ id }) => id).join('')).toBe(items);
    expect(page.prev).toBe(prev);
    expect(page.next).toBe(next);
  });
});
