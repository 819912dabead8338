import { eventually } from '../../../support/eventually.ts';
import type { FaultRow } from '../fault-row.ts';
import { refusesThenRecovers } from '../lost-slot.ts';
import { inFlightRecords, morePublished, moreWritten, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 15,
  fault: 'the slot is dropped behind the relay, while it is down or killed with it',
  expected: 'refuses to start with exit 11, makes no slot; recover leads back',
  seeds: 20,
  inCi: false,
  run: async (round) =>
    underLoad(
      await round.stack(),
      { allowedDuplicates: inFlightRecords, healLimitMs: 120_000 },
      async (scene) => {
        const { sql, slot } = scene.pipeline;
        await morePublished(scene.relay, round.chance.int(1, 300));
        await scene.relay[round.chance.pick(['kill', 'terminate'] as const)]();
        await eventually(
          async () => {
            await sql.query('select pg_drop_replication_slot($1)', [slot]);
            return true;
          },
          { timeoutMs: 30_000 },
        );
        const before = scene.load.count;
        await moreWritten(scene.load, round.chance.int(50, 500));
        const missed = scene.load.count - before;
        return {
          bit: `${missed} events were committed without a slot`,
          judged: await refusesThenRecovers(scene, { exitCode: 11 }),
        };
      },
    ),
};
