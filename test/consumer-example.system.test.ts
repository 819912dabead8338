import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ServiceProcess } from './support/service-process.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

const example = 'docs/examples/live-subscriber/main.ts';

/** The page for live subscribers shows a program: this runs it, from a REST call to a row in the subscriber's own database. */
describe('the example of a live subscriber', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack?.[Symbol.asyncDispose]());

  it('is the program on its page', () => {
    const page = readFileSync('docs/consumers/live-subscriber.md', 'utf8');
    expect(page).toContain(readFileSync(example, 'utf8').trim());
  });

  it('keeps a price list equal to the catalog, over a restart', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const relay = await pipeline.startRelay();
    const { url } = await pipeline.startApi();
    const changes = pipeline.topic('catalog.product-change');
    const created = await stack.kafka.tool('topics', [
      '--create',
      ...['--topic', `${changes}.price-list-dead-letters`],
      ...['--partitions', '6'],
    ]);
    expect(created.code).toBe(0);
    const database = await stack.postgres.createDatabase('price_list');
    const run = () =>
      new ServiceProcess(
        example,
        {
          PRICES_DATABASE_URL: database,
          PRICES_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
          PRICES_TOPIC_PREFIX: pipeline.topicPrefix,
        },
        ['--import', 'tsx'],
      );
    const outcome = (service: ServiceProcess, version: number) =>
      service
        .log('product change', (line) => line['version'] === version, 60_000)
        .catch((error: unknown) => {
          throw new Error(`version ${version} did not come: ${service.tail()}\n${relay.tail()}`, {
            cause: error,
          });
        });
    const priceList = new pg.Client(database);
    await priceList.connect();
    onTestFinished(() => priceList.end());
    const prices = async () =>
      (await priceList.query<{ amount: string }>('select amount from price')).rows.map(
        ({ amount }) => amount,
      );

    await using first = run();
    await first.log('subscribed', () => true, 60_000);
    const product = await send(`${url}/products`, 'POST', {
      sku: 'RING',
      name: 'Ring',
      price: { amount: 12.5, currency: 'EUR' },
    });
    const location = new URL(product.headers.get('location') ?? '', url).href;
    expect(await outcome(first, 1)).toMatchObject({ outcome: 'applied' });
    expect(await prices()).toEqual(['12.5']);
    const changed = await send(
      location,
      'PATCH',
      { price: { amount: 11 } },
      product.headers.get('etag'),
    );
    expect(await outcome(first, 2)).toMatchObject({ outcome: 'applied' });
    expect(await prices()).toEqual(['11']);
    expect((await first.terminate()).code).toBe(0);

    await using second = run();
    await second.log('subscribed', () => true, 60_000);
    await send(location, 'DELETE', undefined, changed.headers.get('etag'));
    expect(await outcome(second, 3)).toMatchObject({ outcome: 'applied' });
    expect(await prices()).toEqual([]);
    // What was handled before the restart was committed by the stop.
    expect(second.logs.filter((line) => line.message === 'product change')).toHaveLength(1);
    expect((await second.terminate()).code).toBe(0);
  });
});

async function send(
  url: string,
  method: string,
  body: unknown,
  etag?: string | null,
): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(body === undefined
        ? {}
        : {
            'content-type':
              method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
          }),
      ...(etag ? { 'if-match': etag } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok)
    throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}
