import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { SqlLoad } from '../support/sql-load.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';
import { longOutage } from './long-outage.ts';

/** Long beside what fills the bound on unconfirmed bytes; CI's share. `OUTAGE_MS=600000` is ten minutes. */
const outageMs = Number(process.env['OUTAGE_MS'] ?? 25_000);

describe('a single Kafka broker under load', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it.each(['stop', 'kill'] as const)(
    'that goes by %s and comes back, twice: nothing is lost, the order stays, readiness says what is known',
    async (how) => {
      await using pipeline = await TestPipeline.create(stack);
      await EntityWriter.prepare(pipeline.sql);
      const relay = await pipeline.startRelay();
      const load = new SqlLoad(pipeline, { pauseMs: 2 });
      const broker = stack.kafka.broker(1);
      for (let round = 0; round < 2; round += 1) {
        const before = load.count;
        await eventually(() => load.count > before + 100, { timeoutMs: 30_000 });
        await broker[how]();
        await eventually(async () => (await relay.ready()).checks['kafka']?.ok === false, {
          timeoutMs: 20_000,
        });
        await broker.start();
        await eventually(async () => (await relay.ready()).status === 'ready', {
          timeoutMs: 30_000,
        });
      }
      await load.stop();
      await pipeline.caughtUp();
      const verdict = await judgePipeline(pipeline);
      console.log(`${how}: events ${verdict.committed}, duplicates ${verdict.duplicates}`);
      // The same session sends the same batches again: Kafka removes what it has.
      expect(verdict.violations).toEqual([]);
    },
  );

  it.each(['kill', 'pause'] as const)(
    'that goes by %s under an idle relay: readiness and the log notice, once each',
    async (how) => {
      await using pipeline = await TestPipeline.create(stack);
      const relay = await pipeline.startRelay();
      const broker = stack.kafka.broker(1);
      await eventually(async () => (await relay.ready()).status === 'ready', { timeoutMs: 30_000 });
      expect(await relay.metric('relay_last_delivery_timestamp_seconds')).toBeUndefined();
      await broker[how]();
      await eventually(async () => (await relay.ready()).checks['kafka']?.ok === false, {
        timeoutMs: 25_000,
      });
      await (how === 'kill' ? broker.start() : broker.resume());
      await eventually(async () => (await relay.ready()).status === 'ready', { timeoutMs: 30_000 });
      const told = relay.logs.filter(({ message }) => message === 'no fresh metadata');
      expect(told.length).toBeGreaterThan(0);
      expect(told.length).toBeLessThan(4);
    },
  );

  it('that is away for long: memory stays bounded, writers are not disturbed, the slot waits, and all of it arrives', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay({ RELAY_MAX_IN_FLIGHT_BYTES: String(2 * 1024 * 1024) });
    const load = new SqlLoad(pipeline);
    await eventually(() => load.count > 200, { timeoutMs: 30_000 });
    const outage = await longOutage(pipeline, relay, load, outageMs);
    expect(outage).toMatchObject({ hasAcknowledged: false, ready: 'not ready' });
    expect(outage.grownBytes).toBeLessThan(48 * 1024 * 1024);
    expect(outage.writtenPerSecond).toBeGreaterThan(10);
    const written = await load.stop();
    await pipeline.caughtUp(120_000);
    const verdict = await judgePipeline(pipeline);
    console.log(
      `${outageMs / 1000} s without Kafka: ${written} events, ${outage.writtenPerSecond.toFixed(0)} a second meanwhile, resident ${(relay.memory().peakBytes / 2 ** 20).toFixed(0)} MiB at the peak, duplicates ${verdict.duplicates}`,
    );
    expect(verdict.violations).toEqual([]);
  });
});
