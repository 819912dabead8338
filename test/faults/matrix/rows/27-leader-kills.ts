import { killLeaders } from '../../leader-kills.ts';
import type { FaultRow } from '../fault-row.ts';
import { threeBrokers } from '../three-brokers.ts';
import { underLoad } from '../under-load.ts';

/** A leader dies while batches of all its partitions are on their way; what they are sent again as must be the same. */
export const row: FaultRow = {
  number: 27,
  fault: 'Kafka leader kill -9, 3 brokers, load on all partitions',
  expected: 'publishing goes on without it; nothing lost, out of order or twice',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack }) =>
    underLoad(
      await stack(threeBrokers),
      { allowedDuplicates: 0, healLimitMs: 120_000 },
      async ({ pipeline, relay }) => {
        const { kills, moved } = await killLeaders(pipeline, relay, {
          kills: 2,
          random: chance.unit,
        });
        return { bit: `${kills} kills moved ${moved} leaders`, judged: [], figures: { kills } };
      },
    ),
};
