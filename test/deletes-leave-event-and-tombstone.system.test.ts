import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { readTopics } from './support/read-topics.ts';
import type { PublishedRecord } from './history/history.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** One outbox row, two records: from a request to what both kinds of reader see. */
describe('a product, from the REST call to the topics', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('leaves C, U and D with rising versions on the change topic, and a tombstone as its last record on the state topic', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await pipeline.startRelay();
    const { url } = await pipeline.startApi();
    const created = await fetch(`${url}/products`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-flow-id': 'flow-1' },
      body: '{"sku":"SKU-1","name":"Ring","price":{"amount":12.50,"currency":"EUR"},"attributes":{"n":12345678901234567890},"status":"ACTIVE"}',
    });
    expect(created.status).toBe(201);
    expect(await created.text()).toContain('"n":12345678901234567890');
    const location = new URL(created.headers.get('location') ?? '', url).href;
    const patched = await fetch(location, {
      method: 'PATCH',
      headers: {
        'content-type': 'application/merge-patch+json',
        'if-match': created.headers.get('etag') ?? '',
      },
      body: '{"price":{"amount":11}}',
    });
    expect(patched.status).toBe(200);
    const same = await fetch(location, {
      method: 'PATCH',
      headers: {
        'content-type': 'application/merge-patch+json',
        'if-match': patched.headers.get('etag') ?? '',
      },
      body: '{"price":{"amount":11.0}}',
    });
    expect(same.headers.get('etag')).toBe(patched.headers.get('etag'));
    const deleted = await fetch(location, {
      method: 'DELETE',
      headers: { 'if-match': patched.headers.get('etag') ?? '' },
    });
    expect(deleted.status).toBe(204);
    await pipeline.caughtUp();

    const records: PublishedRecord[] = [];
    await readTopics(
      stack.kafka.directBootstrap,
      [pipeline.topic('catalog.product-change'), pipeline.topic('catalog.product')],
      (record) => records.push(record),
    );
    const onTopic = (name: string) => records.filter(({ topic }) => topic === pipeline.topic(name));
    expect(onTopic('catalog.product-change').map(({ dataOp }) => dataOp)).toEqual(['C', 'U', 'D']);
    expect(onTopic('catalog.product').map(({ valueHash }) => valueHash === null)).toEqual([
      false,
      false,
      true,
    ]);
    expect(new Set(records.map(({ key }) => key))).toEqual(new Set([location.split('/').at(-1)]));
    expect((await judgePipeline(pipeline)).violations).toEqual([]);
  });
});

describe('readiness', () => {
  it('is not ready before anything was seen, while Kafka is away, and while Postgres is away; unknown is NaN, never 0', async () => {
    await using stack = await startTestStack();
    await using pipeline = await TestPipeline.create(stack);
    await stack.kafka.stop();
    const relay = pipeline.launchRelay();
    await relay.log('listening');
    expect((await relay.ready()).status).toBe('not ready');
    expect(await relay.metric('relay_inflight_bytes')).toBeNaN();
    await stack.kafka.start();
    await eventually(async () => (await relay.ready()).status === 'ready', { timeoutMs: 30_000 });
    await stack.postgres.stop('fast');
    await eventually(async () => (await relay.ready()).status === 'not ready', {
      timeoutMs: 30_000,
    });
    await eventually(async () => Number.isNaN(await relay.metric('relay_wal_lag_bytes')), {
      timeoutMs: 30_000,
    });
    await stack.postgres.start();
    await eventually(async () => (await relay.ready()).status === 'ready', { timeoutMs: 30_000 });
  });
});
