import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

const mebibyte = 1024 * 1024;

/** I9: a transaction passes through in pieces and is acknowledged at its end. */
describe('a transaction of 1,000,000 outbox rows', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({
      postgres: { settings: { fsync: 'off', max_wal_size: '4GB' } },
      kafka: { jvm: 'throughput' },
    });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('is published whole, each event once, with less than 256 MiB of resident memory', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay();
    await pipeline.sql.query(`
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
      select gen_random_uuid(), 'catalog.product', 'entity-' || n % 20000, 'catalog.product-change', n / 20000 + 1, 'U',
        format('{"data_op":"U","data":{"id":"entity-%s","version":%s,"filler":"%s"}}', n % 20000, n / 20000 + 1, repeat('x', 100))::json
      from generate_series(0, 999999) as n`);
    await pipeline.caughtUp(240_000);
    const { peakBytes } = relay.memory();
    console.log(`peak resident memory ${(peakBytes / mebibyte).toFixed(0)} MiB`);
    expect(peakBytes).toBeLessThan(256 * mebibyte);
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ committed: 1_000_000, records: 2_000_000, duplicates: 0 });
  });
});
