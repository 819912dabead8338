import { eventTypes } from '@outbound/schemas';
import { expect, test } from 'vitest';
import { outbound } from '../test-support/outbound.ts';

test('every event type is listed with its version and topics', async () => {
  const { code, out } = await outbound(['schemas']);
  expect(code).toBe(0);
  expect(out).toMatch(
    /catalog\.product-change +1\.\d+\.\d+ +catalog-api +compatible +catalog\.product-change +6/,
  );
  expect(out).toMatch(/catalog\.product +6 +the latest per key; deletions 7 days/);
});

test('topics are shown with the prefix that this environment gives them', async () => {
  const { json } = await outbound(['schemas', 'list', '--json', '--topic-prefix', 'staging.'], {});
  expect(json()[0]).toContainEqual(
    expect.objectContaining({
      name: 'catalog.product-change',
      topics: expect.arrayContaining([
        expect.objectContaining({ topic: 'staging.catalog.product', cleanup_policy: 'compact' }),
      ]) as unknown,
    }),
  );
});

test('a schema is shown as the registry has it', async () => {
  const { json } = await outbound(['schemas', 'show', 'catalog.product-change', '--json'], {});
  expect(json()[0]).toMatchObject({ title: 'catalog.product-change', type: 'object' });
});

test.each([...eventTypes.values()])(
  'the example of $name fits its schema',
  async ({ name, value }) => {
    const { json } = await outbound(['schemas', 'show', name, '--format', 'example', '--json'], {});
    expect(value.safeParse(json()[0]).error).toBeUndefined();
  },
);

test('an event type that is not there is named beside those that are', async () => {
  expect(await outbound(['schemas', 'show', 'catalog.prodcut'])).toMatchObject({
    code: 2,
    err: expect.stringContaining(
      'there are catalog.product-change, catalog.category-change',
    ) as string,
  });
  expect(
    await outbound(['schemas', 'show', 'catalog.product-change', '--format', 'avro']),
  ).toMatchObject({
    code: 2,
    err: expect.stringContaining('Allowed choices are json-schema, example') as string,
  });
});
