import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** Without this, a quiet outbox beside busy tables keeps the log until the disk is full (pgjdbc 2941). */
describe('an idle slot', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ postgres: { settings: { wal_sender_timeout: '4s' } } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('follows the writes of other tables and other databases, without a write of its own', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const relay = await pipeline.startRelay();
    await pipeline.sql.query('create table other (n integer)');
    await pipeline.sql.query('insert into other select generate_series(1, 20000)');
    await pipeline.caughtUp(20_000);
    await using neighbour = await TestPipeline.create(stack);
    await neighbour.sql.query('create table other as select generate_series(1, 20000)');
    await pipeline.caughtUp(20_000);
    const before = await pipeline.walEnd();
    expect(await relay.metric('relay_records_published_total')).toBeFalsy();
    // Nothing that the relay does writes to the log: the slot has nothing to chase.
    await pipeline.caughtUp();
    expect(await pipeline.walEnd()).toBe(before);
  });
});
