import { startKafka } from '@outbound/local-stack';
import { FailoverPair, type Failover } from '../../../support/failover-pair.ts';
import { judgePipeline } from '../../../support/judge-pipeline.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { migrateTemplate } from '../../../support/test-stack.ts';
import { failoverRounds } from '../../failover-rounds.ts';
import type { FaultRow } from '../fault-row.ts';
import { judgedHistory } from '../judged.ts';
import { finalRows } from '../under-load.ts';

export const row: FaultRow = {
  number: 26,
  fault:
    'Postgres 18 fails over to a standby with the failover slot: one switchover and one promotion after a kill, under load',
  expected: 'the relay goes on by itself; the topics are what the new primary has',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    await using kafka = await startKafka({});
    await using pair = await FailoverPair.start();
    await migrateTemplate(pair.primary);
    await using pipeline = await TestPipeline.create({
      get postgres() {
        return pair.server;
      },
      kafka,
      [Symbol.asyncDispose]: async () => Promise.resolve(),
    });
    const order = round.chance.shuffled<Failover>(['switchover', 'promotion']);
    const done: string[] = [];
    await failoverRounds(pair, pipeline, order, ({ how, ms }) =>
      done.push(`${how} ${(ms / 1000).toFixed(1)} s`),
    );
    const verdict = await judgePipeline(pipeline, {
      allowedDuplicates: order.length * 2000,
      finalRows: await finalRows(pipeline),
    });
    return {
      bit: `publishing again after: ${done.join(', ')}`,
      judged: judgedHistory(verdict),
      figures: { events: verdict.committed, duplicates: verdict.duplicates },
    };
  },
};
