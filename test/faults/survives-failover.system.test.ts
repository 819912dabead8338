import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FailoverPair, type Failover } from '../support/failover-pair.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { migrateTemplate } from '../support/test-stack.ts';
import { failoverRounds } from './failover-rounds.ts';

/** One of each is CI's share; `FAILOVER_ROUNDS=20` runs as many of each. */
const rounds = Number(process.env['FAILOVER_ROUNDS'] ?? 1);

describe('a Postgres 18 primary with a standby that has the failover slot', () => {
  let kafka: KafkaCluster;
  beforeAll(async () => {
    kafka = await startKafka({});
  });
  afterAll(() => kafka.close());

  it(`is switched over and fails over ${rounds} times each: the relay goes on by itself, and the topics are what the new primary has, without loss or ghost`, async () => {
    await using pair = await FailoverPair.start();
    await migrateTemplate(pair.primary);
    await using pipeline = await TestPipeline.create({
      get postgres() {
        return pair.server;
      },
      kafka,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
    const order = Array.from({ length: rounds }, (): Failover[] => ['switchover', 'promotion']);
    const figures: Record<Failover, number[]> = { switchover: [], promotion: [] };
    const { refutedTails } = await failoverRounds(pair, pipeline, order.flat(), ({ how, ms }) =>
      figures[how].push(Math.round(ms)),
    );
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: rounds * 2 * 2000 });
    for (const [how, each] of Object.entries(figures))
      console.log(`${how}: publishing again after ${each.sort((a, b) => a - b).join(', ')} ms`);
    console.log(
      `events ${verdict.committed}, records ${verdict.records}, duplicates ${verdict.duplicates}, refuted tails ${refutedTails}`,
    );
    expect(verdict.violations).toEqual([]);
    // Nothing of a history that is lost was published: nobody has to repair anything.
    expect(refutedTails).toBe(0);
    expect(verdict.committed).toBeGreaterThan(100);
  });
});
