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

  /** A pipeline on the pair, with one relay through all rounds, judged against the last primary. */
  async function judged(pair: FailoverPair, order: readonly Failover[]) {
    await migrateTemplate(pair.primary);
    await using pipeline = await TestPipeline.create({
      get postgres() {
        return pair.server;
      },
      kafka,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
    const figures: Record<Failover, number[]> = { switchover: [], promotion: [] };
    const { refutedTails } = await failoverRounds(pair, pipeline, order, ({ how, ms }) =>
      figures[how].push(Math.round(ms)),
    );
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: order.length * 2000 });
    for (const [how, each] of Object.entries(figures))
      console.log(`${how}: publishing again after ${each.sort((a, b) => a - b).join(', ')} ms`);
    console.log(
      `events ${verdict.committed}, records ${verdict.records}, duplicates ${verdict.duplicates}, refuted tails ${refutedTails}`,
    );
    return { verdict, refutedTails };
  }

  it(`is switched over and fails over ${rounds} times each: the relay goes on by itself, and the topics are what the new primary has, without loss or ghost`, async () => {
    await using pair = await FailoverPair.start();
    const order = Array.from({ length: rounds }, (): Failover[] => ['switchover', 'promotion']);
    const { verdict, refutedTails } = await judged(pair, order.flat());
    expect(verdict.violations).toEqual([]);
    // Nothing of a history that is lost was published: nobody has to repair anything.
    expect(refutedTails).toBe(0);
    expect(verdict.committed).toBeGreaterThan(100);
  });

  // With the long runs only: it proves that the rounds above could find a ghost.
  if (rounds > 1)
    it('without synchronized_standby_slots: ghosts are published, and the relay says so and goes on', async () => {
      await using pair = await FailoverPair.start({ waitsForStandby: false });
      const { verdict, refutedTails } = await judged(pair, ['promotion']);
      expect(new Set(verdict.violations.map(({ promise }) => promise))).toContain('I2');
      expect(verdict.violations.filter(({ promise }) => promise === 'I1')).toEqual([]);
      expect(refutedTails).toBeGreaterThan(0);
    });
});
