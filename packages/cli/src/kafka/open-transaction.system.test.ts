import { Partitioners } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestPipeline } from '../../../../test/support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from '../../../../test/support/test-stack.ts';
import { outbound } from '../test-support/outbound.ts';
import { append, plainClient } from './test-support/kafka-topics.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

it("rebuild, latest and trace don't take a topic for read whose records a stranger's open transaction hides", async () => {
  await using pipeline = await TestPipeline.create(stack);
  const { url } = await pipeline.startApi();
  const created = await fetch(`${url}/products`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"sku":"SKU-1","name":"Ring","status":"ACTIVE"}',
  });
  const { id } = (await created.json()) as { id: string };
  const topic = pipeline.topic('catalog.product');
  const producer = plainClient(stack.kafka).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId: `stranger-${pipeline.slot}`,
    idempotent: true,
    maxInFlightRequests: 1,
    // As long as the test at the most: then the broker would end it.
    transactionTimeout: 600_000,
  });
  await producer.connect();
  const open = await producer.transaction();
  await open.send({ topic, messages: [{ key: id, value: '{"from":"a stranger"}' }] });
  await append(stack.kafka, topic, [{ key: id, value: '{"data":{"version":1}}' }]);

  const env = {
    OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
    OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
    OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    OUTBOUND_SLOT: pipeline.slot,
  };
  const verbs = [
    ['rebuild', 'catalog.product', '--into', 'memory'],
    ['latest', 'catalog.product'],
    ['trace', id],
  ];
  const held = await Promise.all(verbs.map((argv) => outbound(argv, { env })));
  for (const { code, out, err } of held) {
    expect(code).toBe(5);
    expect(`${out}${err}`).toMatch(
      /an open transaction has held back the records of t\w+\.catalog\.product\/\d from offset 0 on, .*kafka-transactions\.sh/,
    );
    expect(out).not.toMatch(/caught up|delivered|missing/);
  }
  await open.abort();
  await producer.disconnect();
  const [rebuild, latest, trace] = await Promise.all(verbs.map((argv) => outbound(argv, { env })));
  expect(rebuild).toMatchObject({ code: 0, out: expect.stringContaining('1 records') as string });
  expect(latest).toMatchObject({ code: 0, out: expect.stringContaining(id) as string });
  expect(trace?.out).not.toContain('transaction');
});
