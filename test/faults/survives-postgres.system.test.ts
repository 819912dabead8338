import type { PostgresMajor } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { SqlLoad } from '../support/sql-load.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';

/** Two are CI's share: the second one meets a relay that has recovered. `POSTGRES_ROUNDS=20 npx vitest run test/faults/survives-postgres` runs as many. */
const rounds = Number(process.env['POSTGRES_ROUNDS'] ?? 2);

describe.each<PostgresMajor>([15, 18])('Postgres %i under load', (major) => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ postgres: { major } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const faults: Record<string, (pipeline: TestPipeline) => Promise<unknown>> = {
    'restarted fast': async () => {
      await stack.postgres.stop('fast');
      await stack.postgres.start();
    },
    'killed with every backend': async () => {
      await stack.postgres.kill();
      await stack.postgres.start();
    },
    'that ends the walsender': async (pipeline) =>
      pipeline.sql.query(
        'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
        [pipeline.slot],
      ),
  };

  it.each(Object.entries(faults))(
    `and %s, ${rounds} times: the relay comes back by itself, nothing is lost, the order stays`,
    async (_, fault) => {
      await using pipeline = await TestPipeline.create(stack);
      await EntityWriter.prepare(pipeline.sql);
      const relay = await pipeline.startRelay();
      const load = new SqlLoad(pipeline, { pauseMs: 2 });
      for (let times = 2; times < 2 + rounds; times += 1) {
        const before = load.count;
        await eventually(() => load.count > before + 100, { timeoutMs: 30_000 });
        await fault(pipeline);
        await relay.reached('streaming', { times });
        await pipeline.reconnect();
      }
      await load.stop();
      await pipeline.caughtUp();
      const verdict = await judgePipeline(pipeline, { allowedDuplicates: rounds * 400 });
      console.log(`events ${verdict.committed}, duplicates ${verdict.duplicates}`);
      expect(verdict.violations).toEqual([]);
      expect(verdict.committed).toBeGreaterThan(rounds * 100);
    },
  );
});
