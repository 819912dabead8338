import { startFaultProxy } from '../../../support/fault-proxy.ts';
import type { FaultRow } from '../fault-row.ts';
import { judgeProgress } from '../judge-progress.ts';
import { inFlightRecords, morePublished, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 2,
  fault:
    'relay killed after Kafka confirmed and before Postgres was told (status frames held back)',
  expected: 'those transactions are read again; the partitions say what they hold',
  seeds: 20,
  inCi: true,
  run: async (round) => {
    const stack = await round.stack();
    await using proxy = await startFaultProxy({ port: stack.postgres.port });
    return await underLoad(
      stack,
      { postgresProxy: proxy, allowedDuplicates: inFlightRecords },
      async (scene) => {
        const { pipeline, load } = scene;
        await morePublished(scene.relay, 50);
        proxy.set({ mode: 'stall', direction: 'up' });
        const before = await pipeline.confirmedFlushLsn();
        const records = round.chance.int(50, 400);
        await morePublished(scene.relay, records);
        await scene.relay.kill();
        const after = await pipeline.confirmedFlushLsn();
        if (after !== before) throw new Error(`the slot moved from ${before} to ${after}`);
        proxy.heal();
        await load.stop();
        const progress = await judgeProgress(pipeline);
        scene.relay = await scene.start();
        return {
          bit: `${records} records and more were confirmed while the slot stood at ${before ?? 'nothing'}`,
          judged: [progress],
        };
      },
    );
  },
};
