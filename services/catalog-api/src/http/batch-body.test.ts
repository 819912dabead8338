import { parseJson, stringifyJson } from '@outbound/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunksOf, readBatch, type BatchItem } from './batch-body.ts';

describe('the body of a batch', () => {
  it('gives the items that JSON.parse gives, whatever is in their strings', async () => {
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
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(undefined, 1),
        async (items, indent) => {
          const read = await readBatch(JSON.stringify({ items }, null, indent));
          expect(read.map((item) => stringifyJson(parseJson(item.text)))).toEqual(
            items.map((item) => JSON.stringify(item)),
          );
        },
      ),
    );
  });

  it.each([
    ['no object', '[1]', 'VALIDATION_FAILED'],
    ['another member', '{"items":[1],"more":1}', 'VALIDATION_FAILED'],
    ['no array', '{"items":1}', 'VALIDATION_FAILED'],
    ['one bracket for two', '{"items":[}', 'VALIDATION_FAILED'],
    ['no items', '{"items":[ ]}', 'VALIDATION_FAILED'],
    ['too many items', `{"items":[${'1,'.repeat(1_000)}1]}`, 'VALIDATION_FAILED'],
    ['nothing behind a comma', '{"items":[1,]}', 'MALFORMED_JSON'],
    ['nothing before a comma', '{"items":[,1]}', 'MALFORMED_JSON'],
    ['a string without an end', '{"items":["a]}', 'MALFORMED_JSON'],
    ['an item of a megabyte', `{"items":[1,"${'x'.repeat(1_000_000)}"]}`, 'BODY_TOO_LARGE'],
  ])('is refused with %s', async (_name, text, code) => {
    await expect(readBatch(text)).rejects.toMatchObject({ code });
  });

  it('lets others have their turn while it is read', async () => {
    const item = `{"sku":"A","attributes":{${Array.from({ length: 900 }, (_, n) => `"k${n}":1.50`).join(',')}}}`;
    let turns = 0;
    const other = setInterval(() => (turns += 1), 0);
    await readBatch(`{"items":[${Array<string>(500).fill(item).join(',')}]}`);
    clearInterval(other);
    expect(turns).toBeGreaterThan(5);
  });

  it.each([
    ['100 items each', 250, 10, [100, 100, 50]],
    ['262,144 characters each', 10, 100_000, [2, 2, 2, 2, 2]],
    ['one at the least', 3, 262_144, [1, 1, 1]],
  ])('is created in chunks of %s', (_name, count, length, sizes) => {
    const chunks = chunksOf(Array<BatchItem>(count).fill({ text: 'x'.repeat(length) }));
    expect(chunks.map(({ items }) => items.length)).toEqual(sizes);
    expect(chunks.map(({ start }) => start)).toEqual(
      sizes.map((_, at) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0)),
    );
  });
});
