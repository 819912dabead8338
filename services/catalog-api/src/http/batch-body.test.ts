import { stringifyJson } from '@outbound/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBatch } from './batch-body.ts';

describe('the body of a batch', () => {
  it('gives the items that JSON.parse gives, whatever is in their strings', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: fc.constantFrom('"', '\\', ',', '[', ']', '{', '}', ':', 'a', '\n') }),
        fc.integer(),
        fc.constant(null),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b"', 'c\\', ',]'), tie('any'), { maxKeys: 3 }),
      ),
    })).any;
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(undefined, 1),
        (items, indent) => {
          const read = readBatch(JSON.stringify({ items }, null, indent));
          expect(
            read.map((item) => ('value' in item ? stringifyJson(item.value) : item.error)),
          ).toEqual(items.map((item) => JSON.stringify(item)));
        },
      ),
    );
  });

  it('limits keys and depth per item', () => {
    const keys = `{${Array.from({ length: 900 }, (_, n) => `"k${n}":1`).join(',')}}`;
    expect(readBatch(`{"items":[${keys},${keys}]}`).every((item) => 'value' in item)).toBe(true);
    const deep = '['.repeat(33) + ']'.repeat(33);
    expect(readBatch(`{"items":[${deep},1]}`).map((item) => 'error' in item)).toEqual([
      true,
      false,
    ]);
  });
});
