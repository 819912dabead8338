import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failPointNames } from '../../services/relay/src/fail-points.ts';
import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { runSeed, seededRandom } from '../support/random.ts';
import { SqlLoad } from '../support/sql-load.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';

/** Ten are CI's share, as in a round of row 1 of the matrix; `RELAY_KILLS=200 npx vitest run test/faults/survives-kill` runs as many. */
const kills = Number(process.env['RELAY_KILLS'] ?? 10);
/** What may be on its way to Kafka when the process dies: one send, of two records per event at this load. */
const inFlightRecords = 400;

/** I1, I3, I7: every crash window gives duplicates at the most, each with its event id, and the order of first occurrences stays. */
describe('the relay, killed', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it(`${kills} times at random under load, loses nothing, keeps the order, and repeats at most what was in flight`, async () => {
    const random = seededRandom(runSeed('kills'));
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await (await pipeline.startRelay()).terminate();
    const load = new SqlLoad(pipeline, { pauseMs: 2 });
    let published = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      const relay = await pipeline.startRelay();
      // From its first batch to half a second later.
      const atLeast = 1 + Math.floor(random() * 300);
      await eventually(
        async () => ((await relay.metric('relay_records_published_total')) ?? 0) >= atLeast,
        { timeoutMs: 20_000, intervalMs: 3 },
      );
      published += (await relay.metric('relay_records_published_total')) ?? 0;
      await relay.kill();
    }
    await load.stop();
    await pipeline.startRelay();
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: kills * inFlightRecords });
    console.log(
      `kills ${kills} | events ${verdict.committed} | records ${verdict.records} | lost ${verdict.counts.get('lost') ?? 0} | ghosts ${verdict.counts.get('ghost') ?? 0} | reordered ${verdict.counts.get('reordered') ?? 0} | duplicates ${verdict.duplicates}`,
    );
    expect(verdict.violations).toEqual([]);
    expect(published).toBeGreaterThan(0);
  });

  it.each(failPointNames)('at the point %s, loses nothing and keeps the order', async (name) => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await (await pipeline.startRelay()).terminate();
    const load = new SqlLoad(pipeline, { pauseMs: 2 });
    for (const nth of [1, 2, 7]) {
      // Points of a session's beginning and end are passed once in a life.
      const count = name.includes('track') ? nth : 1;
      const relay = pipeline.launchRelay({ RELAY_FAIL_POINT: `${name}:${count}` });
      if (name === 'after-drain-before-close') {
        await relay.reached('streaming');
        expect((await relay.terminate()).signal).toBe('SIGKILL');
      } else expect((await relay.ended()).signal).toBe('SIGKILL');
    }
    await load.stop();
    await pipeline.startRelay();
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: 3 * inFlightRecords });
    console.log(`${name}: events ${verdict.committed}, duplicates ${verdict.duplicates}`);
    expect(verdict.violations).toEqual([]);
  });
});
