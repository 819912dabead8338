import type { PostgresMajor } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

const backlog = `
  create or replace procedure fill(n integer, filler integer) language plpgsql as $$
  begin for i in 1..n loop perform write_event('entity-' || i % 50, 'U', filler); commit; end loop; end $$`;

/** A stop that hangs is what makes people use kill -9. Reference: "walsender exits only when …" (trap 1.2), pg-logical-replication's +1. */
describe.each<PostgresMajor>([15, 18])('stopping, on Postgres %i', (major) => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ postgres: { major } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  async function prepared(): Promise<TestPipeline> {
    const pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await pipeline.sql.query(backlog);
    return pipeline;
  }

  /** How long a fast stop takes, without what the server has to bring to the disk of its own: that is the machine's, and not the relay's. */
  async function stoppedMs(pipeline: TestPipeline): Promise<number> {
    await pipeline.sql.query('checkpoint');
    return (await stack.postgres.stop('fast')).durationMs;
  }

  it('the relay under load drains, exits 0 in under 10 s, and leaves nothing to be published again', async () => {
    await using pipeline = await prepared();
    const relay = await pipeline.startRelay();
    const load = await pipeline.connect();
    const loading = load.query('call fill(5000, 50)');
    await eventually(
      async () => ((await relay.metric('relay_records_published_total')) ?? 0) > 500,
      { timeoutMs: 20_000 },
    );
    const exit = await relay.terminate();
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.durationMs).toBeLessThan(10_000);
    await loading;
    await load.end();
    await pipeline.startRelay();
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ committed: 5000, duplicates: 0 });
  });

  it('the relay with Kafka down exits 0 in under 10 s, without acknowledging what was not sent', async () => {
    await using pipeline = await prepared();
    const writer = new EntityWriter(pipeline.sql);
    const relay = await pipeline.startRelay();
    await writer.write('before');
    await pipeline.caughtUp();
    await stack.kafka.stop();
    await writer.write('unsent');
    await relay.log('a send failed and is tried again');
    const exit = await relay.terminate();
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.durationMs).toBeLessThan(10_000);
    await stack.kafka.start();
    await pipeline.startRelay();
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ committed: 2, records: 4 });
  });

  it('the relay whose slot waits for a transaction exits 0 at once, and leaves no slot', async () => {
    await using pipeline = await prepared();
    const writer = await pipeline.connect();
    await writer.query('begin; create table holds_up (n int)');
    const relay = pipeline.launchRelay();
    await relay.log('creating the slot waits for a running transaction');
    const exit = await relay.terminate();
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.durationMs).toBeLessThan(4000);
    const slot = () =>
      pipeline.sql.query('select from pg_replication_slots where slot_name = $1', [pipeline.slot]);
    // The server answers first, and drops what it had begun then.
    await eventually(async () => (await slot()).rowCount === 0, { timeoutMs: 5000 });
    await writer.end();
  });

  it('the relay drains for as long as its setting allows, and exits 0 after it', async () => {
    await using pipeline = await prepared();
    const relay = await pipeline.startRelay({ RELAY_DRAIN_MS: '10000' });
    await stack.kafka.stop();
    await new EntityWriter(pipeline.sql).write('unsent');
    await relay.log('a send failed and is tried again');
    const exit = await relay.terminate();
    await stack.kafka.start();
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.durationMs).toBeGreaterThan(9900);
  });

  it('the relay with a Postgres that hangs exits 0 in under 10 s', async () => {
    await using pipeline = await prepared();
    const relay = await pipeline.startRelay();
    await new EntityWriter(pipeline.sql).write('before');
    await pipeline.caughtUp();
    await stack.postgres.pause();
    const exit = await relay.terminate().finally(() => stack.postgres.resume());
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.durationMs).toBeLessThan(10_000);
  });

  it('a second signal ends the relay at once', async () => {
    await using pipeline = await prepared();
    const relay = await pipeline.startRelay();
    await stack.kafka.stop();
    await new EntityWriter(pipeline.sql).write('unsent');
    await relay.log('a send failed and is tried again');
    const ended = relay.terminate();
    await relay.log('asked to stop');
    expect((await relay.terminate()).code).toBe(130);
    await ended;
    await stack.kafka.start();
  });

  it('Postgres stops fast in under 2 s with the relay idle, and the relay comes back with it', async () => {
    await using pipeline = await prepared();
    const relay = await pipeline.startRelay();
    await new EntityWriter(pipeline.sql).write('before');
    await pipeline.caughtUp();
    expect(await stoppedMs(pipeline)).toBeLessThan(2000);
    await stack.postgres.start();
    await relay.reached('streaming', { times: 2 });
    await pipeline.reconnect();
    await new EntityWriter(pipeline.sql).write('after');
    await pipeline.caughtUp();
    expect((await judgePipeline(pipeline)).violations).toEqual([]);
  });

  it('Postgres stops fast in under 2 s with the relay busy', async () => {
    await using pipeline = await prepared();
    const relay = await pipeline.startRelay();
    const load = await pipeline.connect();
    const loading = load.query('call fill(50000, 200)').catch(() => undefined);
    await eventually(
      async () => ((await relay.metric('relay_records_published_total')) ?? 0) > 1000,
      { timeoutMs: 20_000 },
    );
    expect(await stoppedMs(pipeline)).toBeLessThan(2000);
    await loading;
    await stack.postgres.start();
    await relay.reached('streaming', { times: 2 });
    await pipeline.reconnect();
    await pipeline.caughtUp();
    expect((await judgePipeline(pipeline, { allowedDuplicates: 20_000 })).violations).toEqual([]);
  });

  it('Postgres stops fast in under 2 s with Kafka down and a backlog that has paused reading', async () => {
    await using pipeline = await prepared();
    const relay = await pipeline.startRelay({ RELAY_MAX_IN_FLIGHT_BYTES: String(1024 * 1024) });
    await stack.kafka.stop();
    // More than fits into the relay's bound and the socket's buffers together. It is looked at meanwhile: a relay that delivers exactly once gives a session up after 15 s.
    const filled = pipeline.sql.query('call fill(4000, 10000)');
    await eventually(async () => (await relay.metric('relay_reading_paused')) === 1, {
      timeoutMs: 20_000,
    });
    await filled;
    expect(await stoppedMs(pipeline)).toBeLessThan(2000);
    await Promise.all([stack.postgres.start(), stack.kafka.start()]);
    await relay.reached('streaming', { times: 2 });
    await pipeline.reconnect();
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: 2 * 1500 });
    expect(verdict.violations).toEqual([]);
    expect(verdict.committed).toBe(4000);
  });
});
