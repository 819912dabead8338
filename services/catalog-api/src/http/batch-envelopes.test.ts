import { expect, it } from 'vitest';
import type { Aggregate } from '../catalog/aggregate.ts';
import { categoryAggregate } from '../categories/category-aggregate.ts';
import { productAggregate } from '../products/product-aggregate.ts';
import { batchKinds, readItem } from './batch-items.ts';

it('a thousand items of a batch are opened by one schema, which is not made again for each', () => {
  let asked = 0;
  const input = new Proxy(productAggregate.input, {
    get: (schema, name): unknown => {
      if (name === 'shape') asked += 1;
      return Reflect.get(schema, name);
    },
  });
  const aggregate = { ...productAggregate, input } as Aggregate;
  for (const method of ['PATCH', 'DELETE'] as const) {
    const kind = batchKinds.find((each) => each.method === method);
    if (kind === undefined) throw new Error(`no batch of ${method}`);
    const fields = method === 'PATCH' ? ',"patch":{"name":"N"}' : '';
    for (let item = 0; item < 1_000; item += 1)
      expect(
        readItem(kind, aggregate, { text: `{"sku":"A${item}","if_match":"*"${fields}}` }),
      ).toMatchObject({ target: { key: `A${item}` } });
  }
  expect(asked).toBe(1);
});

it('each aggregate has an envelope of its own', () => {
  const kind = batchKinds.find((each) => each.method === 'DELETE');
  const read = (aggregate: Aggregate, text: string) =>
    kind && readItem(kind, aggregate, { text: `{"if_match":"*",${text}}` });
  const [products, categories] = [productAggregate, categoryAggregate] as unknown as Aggregate[];
  if (products === undefined || categories === undefined) throw new Error('no aggregates');
  expect(read(products, '"sku":"A"')).toMatchObject({ target: { key: 'A' } });
  expect(read(categories, '"code":"a"')).toMatchObject({ target: { key: 'a' } });
  expect(read(categories, '"sku":"A"')).toMatchObject({ error: { code: 'VALIDATION_FAILED' } });
});
