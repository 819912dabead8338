import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { SqlLoad } from '../support/sql-load.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';

/** Eight are CI's share; `FENCE_ROUNDS=200` runs as many. */
const rounds = Number(process.env['FENCE_ROUNDS'] ?? 8);

/**
 * I3, I4: a relay that stood still while another took its slot wakes with batches ready to send. Behind a newer version, an old one
 * would be the last of its key for ever (trap 3.1-8; the fencing is 10e).
 */
describe('a relay that wakes up after its successor began', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ postgres: { settings: { wal_sender_timeout: '1s' } } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it(`appends nothing stale, in ${rounds} rounds, and waits as standby`, async () => {
    await using pipeline = await TestPipeline.create(stack, {
      RELAY_STALL_LIMIT_MS: '600',
      RELAY_STATUS_INTERVAL_MS: '200',
    });
    await EntityWriter.prepare(pipeline.sql);
    let active = await pipeline.startRelay();
    // Few hot entities: each of their versions soon has a successor.
    const load = new SqlLoad(pipeline, { writers: 6, entities: 2 });
    for (let round = 0; round < rounds; round += 1) {
      const before = (await active.metric('relay_records_published_total')) ?? 0;
      await eventually(
        async () => ((await active.metric('relay_records_published_total')) ?? 0) > before + 100,
        { timeoutMs: 30_000, intervalMs: 5 },
      );
      const successor = pipeline.launchRelay();
      await successor.reached('standby');
      active.pause();
      await successor.reached('streaming', { timeoutMs: 30_000 });
      await eventually(
        async () => ((await successor.metric('relay_records_published_total')) ?? 0) > 50,
        { timeoutMs: 30_000, intervalMs: 5 },
      );
      active.resume();
      await active.reached('standby');
      await active.terminate();
      active = successor;
    }
    await load.stop();
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: rounds * 4000 });
    console.log(
      `${rounds} woken relays: events ${verdict.committed}, records ${verdict.records}, duplicates ${verdict.duplicates}`,
    );
    expect(verdict.violations).toEqual([]);
  });
});
