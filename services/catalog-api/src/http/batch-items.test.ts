import { expect, it } from 'vitest';
import type { Aggregate } from '../catalog/aggregate.ts';
import { productAggregate } from '../products/product-aggregate.ts';
import { batchKinds, readItem } from './batch-items.ts';

const aggregate = productAggregate as Aggregate;
const read = (method: string, item: string) => {
  const kind = batchKinds.find((each) => each.method === method);
  if (kind === undefined) throw new Error(`no batch of ${method}`);
  return readItem(kind, aggregate, { text: item });
};
const product = (attributes: string) => `{"sku":"A","name":"N","attributes":${attributes}}`;
const keys = (count: number) =>
  `{${Array.from({ length: count }, (_, n) => `"k${n}":1`).join(',')}}`;
const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;

it('an item may hold what a request by itself may, whatever is around it', () => {
  for (const fine of [product(keys(996)), product(nested(30))]) {
    expect(read('POST', fine)).toMatchObject({ op: 'create' });
    expect(read('PUT', `{"upsert":true,"data":${fine}}`)).toMatchObject({ op: 'put' });
    expect(read('PATCH', `{"sku":"A","if_match":"*","patch":${fine}}`)).toMatchObject({
      op: 'patch',
      target: { key: 'A' },
    });
  }
  // What patches have made is larger than any one of them, and can be put back.
  expect(read('PUT', `{"upsert":true,"data":${product(keys(5_000))}}`)).toMatchObject({
    op: 'put',
  });
});

it.each([
  ['too many keys', product(keys(1_001))],
  ['too many levels', product(nested(31))],
  ['a key that is there twice', '{"sku":"A","name":"N","name":"N"}'],
  ['half of a surrogate pair', '{"sku":"A","name":"\\ud800"}'],
])('an item with %s is refused by itself', (_name, item) => {
  expect(read('POST', item)).toMatchObject({ error: { code: 'MALFORMED_JSON' } });
});
