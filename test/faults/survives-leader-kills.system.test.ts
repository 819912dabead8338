import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { runSeed, seededRandom } from '../support/random.ts';
import { SqlLoad } from '../support/sql-load.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';
import { killLeaders } from './leader-kills.ts';

/** Two are CI's share, as in a round of row 27 of the matrix; `LEADER_KILLS=20 npx vitest run test/faults/survives-leader-kills` runs as many. */
const kills = Number(process.env['LEADER_KILLS'] ?? 2);

/** Traps 3.1-1 (a leader moves while a send is tried again) and 3.1-5 (a leader that hangs with its sockets open). */
describe('three brokers under load on all partitions', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({
      kafka: {
        brokers: 3,
        settings: {
          'broker.session.timeout.ms': '3000',
          'broker.heartbeat.interval.ms': '500',
          'replica.lag.time.max.ms': '3000',
        },
      },
    });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('with a leader killed again and again: nothing lost, nothing out of order, nothing twice', async () => {
    const random = seededRandom(runSeed('leader kills'));
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay();
    const load = new SqlLoad(pipeline, { pauseMs: 2 });
    await killLeaders(pipeline, relay, { kills, random });
    await load.stop();
    await pipeline.caughtUp(120_000);
    const verdict = await judgePipeline(pipeline);
    console.log(
      `${kills} leader kills: events ${verdict.committed}, records ${verdict.records}, duplicates ${verdict.duplicates}`,
    );
    expect(verdict.violations).toEqual([]);
  });

  it('with a leader that hangs: publishing goes on before it wakes, and nothing is lost, out of order or twice', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay();
    const load = new SqlLoad(pipeline, { pauseMs: 2 });
    for (const broker of stack.kafka.brokers) {
      const before = (await relay.metric('relay_records_published_total')) ?? 0;
      await eventually(
        async () => ((await relay.metric('relay_records_published_total')) ?? 0) > before + 200,
        { timeoutMs: 60_000 },
      );
      await broker.pause();
      const hungMs = performance.now();
      // Every partition gets records all the time, so all of them must have moved for the oldest lane to be empty again.
      const confirmedThen = await pipeline.walEnd();
      await eventually(
        async () => {
          const { rows } = await pipeline.sql.query<{ ok: boolean }>(
            'select confirmed_flush_lsn >= $2::pg_lsn as ok from pg_replication_slots where slot_name = $1',
            [pipeline.slot, confirmedThen],
          );
          return rows[0]?.ok === true;
        },
        { timeoutMs: 60_000 },
      );
      console.log(
        `a hung leader held publishing for ${((performance.now() - hungMs) / 1000).toFixed(1)} s`,
      );
      await broker.resume();
    }
    await load.stop();
    await pipeline.caughtUp(120_000);
    const verdict = await judgePipeline(pipeline);
    console.log(
      `3 hung leaders: events ${verdict.committed}, records ${verdict.records}, duplicates ${verdict.duplicates}`,
    );
    expect(verdict.violations).toEqual([]);
  });
});
