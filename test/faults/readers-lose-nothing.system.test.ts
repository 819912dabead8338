import { fileURLToPath } from 'node:url';
import * as consumer from '@outbound/consumer';
import type { KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSeed } from '../support/random.ts';
import type { NemesisKind } from './readers/nemesis-kinds.ts';
import { startReaderCluster } from './readers/reader-cluster.ts';
import { faultsOf, resultTable } from './readers/result-table.ts';
import { planRounds } from './readers/round-plan.ts';
import { runRound } from './readers/round.ts';
import { runStateRound, stateText } from './readers/state-round.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A small share of `npm run soak:readers`, which has the long run. */
describe('a group of readers on three brokers', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    cluster = await startReaderCluster();
  });
  afterAll(async () => cluster?.close());

  it.each<NemesisKind>(['reassign', 'mixed'])(
    'loses nothing and keeps the order per key: %s',
    async (kind) => {
      const [plan] = planRounds({
        seed: runSeed(`readers, ${kind}`),
        rounds: 1,
        kinds: [kind],
        events: 60_000,
        handlerMs: 2,
      });
      if (!plan) throw new Error('no round was planned');
      const result = await runRound(cluster, plan, root);
      console.log(resultTable([result]));
      expect(faultsOf(result)).toEqual([]);
    },
  );

  it("rebuilds what Java's reader sees of a cleaned topic with aborted transactions", async () => {
    const seed = runSeed('states');
    const result = await runStateRound(cluster, consumer, { seed, cycles: 2 });
    console.log(stateText(result));
    expect(result.faults).toEqual([]);
    expect(result.aborted).toBeGreaterThan(0);
  });
});
