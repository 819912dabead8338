import { EntityWriter } from '../../../support/entity-writer.ts';
import { SqlLoad } from '../../../support/sql-load.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { buildMember, killMembers, shortSessions } from '../../consumer-kills.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';

export const row: FaultRow = {
  number: 41,
  fault: 'consumer kill -9 / pause / rebalance, 3 members, 50 times',
  expected: 'each event has its effect once and in order (inbox in the same transaction)',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack }) => {
    await buildMember('apply-once-member');
    await using pipeline = await TestPipeline.create(
      await stack({ kafka: { settings: shortSessions } }),
    );
    await EntityWriter.prepare(pipeline.sql);
    await pipeline.startRelay();
    const load = new SqlLoad(pipeline, { writers: 2, entities: 20, pauseMs: 10 });
    const { events, deliveries, effects, kills, killsInRebalance, pauses, missing, wrong } =
      await killMembers(pipeline, load, { kills: 50, pauses: 0.15, random: chance.unit });
    if (deliveries <= events) throw new Error('nothing was delivered again: the inbox had no work');
    return {
      bit: `${kills} kills (${killsInRebalance} in a rebalance), ${pauses} pauses beyond the session, ${deliveries - events} deliveries again`,
      judged: [
        judged(
          'I1',
          missing.length === 0 && effects === events,
          `${events} events, ${effects} effects, ${missing.length === 0 ? 'none' : missing.join(', ')} missing`,
        ),
        judged(
          'I3',
          wrong.length === 0,
          wrong.length === 0
            ? 'each key in the order of its versions'
            : `out of order: ${wrong.map(({ key, version }) => `${key} ${version}`).join(', ')}`,
        ),
      ],
      figures: { again: deliveries - events },
    };
  },
};
