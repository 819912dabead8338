import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, filterHash } from './cursor.ts';

const id = '019376e4-8c3a-7c7e-a1b2-0123456789ab';

describe('a cursor', () => {
  it.each(['next', 'prev', 'changes'] as const)(
    'comes back as it was made, going %s',
    (direction) => {
      const hash = filterHash('products', { brand: 'B' });
      for (const key of ['', '19.99', '1795000000000:123456:Ab-_12xy']) {
        const text = encodeCursor({ direction, id, key }, hash);
        expect(text).toMatch(/^[\w-]+$/);
        expect(decodeCursor(text, hash)).toEqual({ direction, id, key });
      }
    },
  );

  it('is refused by a list with other filters, and by another list', () => {
    const text = encodeCursor(
      { direction: 'next', id, key: '' },
      filterHash('products', { brand: 'B' }),
    );
    for (const hash of [
      filterHash('products', {}),
      filterHash('products', { brand: 'C' }),
      filterHash('products', { sku: 'B' }),
      filterHash('categories', { brand: 'B' }),
    ])
      expect(() => decodeCursor(text, hash)).toThrow(
        expect.objectContaining({ code: 'INVALID_CURSOR' }),
      );
  });

  it('does not depend on the order of the filters', () => {
    expect(filterHash('products', { a: '1', b: '2' })).toBe(
      filterHash('products', { b: '2', a: '1' }),
    );
  });
});
