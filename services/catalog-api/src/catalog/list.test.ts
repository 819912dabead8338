import { describe, expect, it } from 'vitest';
import { pageOf } from './list.ts';

const read = (...ids: string[]) => ids.map((id) => ({ id, version: 1 }));

describe('a page', () => {
  it.each([
    ['the only one', read('a', 'b'), undefined, 'ab', undefined, undefined],
    ['the first of several', read('a', 'b', 'c'), undefined, 'ab', undefined, 'b'],
    ['one in the middle', read('c', 'd', 'e'), 'next', 'cd', 'c', 'd'],
    ['the last', read('e'), 'next', 'e', 'e', undefined],
    ['one in the middle, read backwards', read('d', 'c', 'b'), 'prev', 'cd', 'c', 'd'],
    ['the first, read backwards', read('b', 'a'), 'prev', 'ab', undefined, 'b'],
    ['nothing', read(), undefined, '', undefined, undefined],
    ['nothing after the last', read(), 'next', '', undefined, undefined],
  ] as const)('%s', (_name, rows, direction, items, prev, next) => {
    const page = pageOf(rows, 2, direction);
    expect(page.items.map(({ id }) => id).join('')).toBe(items);
    expect(page.prev).toBe(prev);
    expect(page.next).toBe(next);
  });
});
