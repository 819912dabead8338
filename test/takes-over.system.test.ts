import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { RelayPair, type Ending } from './support/relay-pair.ts';
import { SqlLoad } from './support/sql-load.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** One of each is CI's share; `TAKEOVER_ROUNDS=20` runs as many, and prints how long each took. */
const rounds = Number(process.env['TAKEOVER_ROUNDS'] ?? 1);

describe('a standby', () => {
  let stack: TestStack;
  beforeAll(async () => {
    // Postgres' own default: whoever waits for it waits for a minute.
    stack = await startTestStack({ postgres: { settings: { wal_sender_timeout: '60s' } } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('is ready, waits, and takes over when the active relay is killed, stopped, hangs or is cut off; all is published, in order', async () => {
    const timeoutMs = Number(process.env['TAKEOVER_SENDER_TIMEOUT_MS'] ?? 2000);
    await using pipeline = await TestPipeline.create(stack, {
      RELAY_WAL_SENDER_TIMEOUT_MS: String(timeoutMs),
      RELAY_STATUS_INTERVAL_MS: String(timeoutMs / 4),
      RELAY_STALL_LIMIT_MS: String(timeoutMs / 2),
    });
    await EntityWriter.prepare(pipeline.sql);
    await using pair = await RelayPair.start(pipeline);
    expect(await pair.standby.ready()).toMatchObject({
      status: 'ready',
      checks: { relay: { ok: true, detail: expect.stringMatching(/^standby/) as string } },
    });
    // One in the line that hangs holds nothing, and holds nobody up.
    const hung = pipeline.launchRelay();
    await hung.reached('standby');
    hung.pause();
    const load = new SqlLoad(pipeline, { pauseMs: 5 });
    const times: Record<Ending, number[]> = { kill: [], terminate: [], hang: [], 'cut-off': [] };
    for (let round = 0; round < rounds; round += 1)
      for (const how of ['kill', 'terminate', 'hang', 'cut-off'] as const)
        times[how].push(Math.round(await pair.takeOver(how, { records: 20 })));
    await load.stop();
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: rounds * 4 * 500 });
    for (const [how, each] of Object.entries(times))
      console.log(`${how}: first record after ${each.sort((a, b) => a - b).join(', ')} ms`);
    expect(verdict.violations).toEqual([]);
    expect(verdict.committed).toBeGreaterThan(100);
  });
});
