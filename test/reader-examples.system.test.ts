import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { ServiceProcess } from './support/service-process.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** The pages for rebuilders and for bulk consumers show a program each: this runs them. */
describe('the examples of readers', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack?.[Symbol.asyncDispose]());

  it.each(['rebuilder', 'bulk-consumer'])('the %s is the program on its page', (name) => {
    expect(readFileSync(`docs/consumers/${name}.md`, 'utf8')).toContain(
      readFileSync(`docs/examples/${name}/main.ts`, 'utf8').trim(),
    );
  });

  it('the rebuilder is not ready before its state is complete, and follows then', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const writer = new EntityWriter(pipeline.sql);
    await pipeline.startRelay();
    for (let n = 0; n < 50; n++) await writer.write(`product-${n % 20}`);
    await writer.write('product-1', 'D');
    await pipeline.caughtUp();

    await using cache = new ServiceProcess(
      'docs/examples/rebuilder/main.ts',
      {
        CACHE_PORT: '0',
        CACHE_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
        CACHE_TOPIC_PREFIX: pipeline.topicPrefix,
      },
      ['--import', 'tsx'],
    );
    const { port } = await cache.log('listening', () => true, 60_000);
    const version = async (key: string) => {
      const response = await fetch(`http://127.0.0.1:${String(port)}/${key}`);
      if (!response.ok) return response.status;
      return ((await response.json()) as { data: { version: number } }).data.version;
    };
    expect([503, 3]).toContain(await version('product-2'));
    expect(await cache.log('caught up', () => true, 60_000)).toMatchObject({ products: 19 });
    expect(await version('product-2')).toBe(3);
    expect(await version('product-1')).toBe(404);
    await writer.write('product-1', 'C');
    await writer.write('product-2', 'D');
    await eventually(
      async () => (await version('product-1')) === 5 && (await version('product-2')) === 404,
    );
    expect((await cache.terminate()).code).toBe(0);
  });

  it('the bulk consumer loads each change once, from load to load', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const writer = new EntityWriter(pipeline.sql);
    await pipeline.startRelay();
    const database = await stack.postgres.createDatabase('warehouse');
    const warehouse = new pg.Client(database);
    await warehouse.connect();
    onTestFinished(() => warehouse.end());
    const load = async () => {
      await pipeline.caughtUp();
      await using run = new ServiceProcess(
        'docs/examples/bulk-consumer/main.ts',
        {
          LOAD_DATABASE_URL: database,
          LOAD_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
          LOAD_TOPIC_PREFIX: pipeline.topicPrefix,
        },
        ['--import', 'tsx'],
      );
      const line = await run.log('loaded', () => true, 60_000);
      expect((await run.ended()).code).toBe(0);
      return line['recordCount'];
    };
    for (let n = 0; n < 40; n++) await writer.write(`product-${n % 10}`);
    expect(await load()).toBe(40);
    await writer.write('product-1', 'D');
    expect(await load()).toBe(1);
    expect(await load()).toBe(0);
    const { rows } = await warehouse.query<{ id: string; payload: string }>(
      'select event_id as id, event::text as payload from product_history order by 1',
    );
    const { rows: written } = await pipeline.sql.query<{ id: string; payload: string }>(
      'select id, payload::text as payload from outbox order by 1',
    );
    expect(rows).toEqual(written);
  });
});
