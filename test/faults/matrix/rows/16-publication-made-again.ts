import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { refusesThenRecovers } from '../lost-slot.ts';
import { morePublished, moreWritten, underLoad } from '../under-load.ts';

/** Postgres 15 then refuses to decode for ever, 18 warns and leaves the rows out: each is met by every second seed. */
export const row: FaultRow = {
  number: 16,
  fault: 'the publication is dropped and made again under load, on Postgres 15 and 18 in turns',
  expected: 'stops with exit 13 and passes nothing over; recover --force leads back',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    const major = round.seed % 2 === 0 ? 18 : 15;
    return underLoad(
      await round.stack({ postgres: { major } }),
      // What is written during the recovery is written again by it: at full speed a busy machine never comes to the end of it.
      { allowedDuplicates: 2000, healLimitMs: 120_000, load: { pauseMs: 20 } },
      async (scene) => {
        const { pipeline, load } = scene;
        await morePublished(scene.relay, round.chance.int(1, 300));
        await pipeline.sql.query('drop publication outbound');
        const before = load.count;
        await moreWritten(load, round.chance.int(20, 200));
        await pipeline.sql.query(
          `create publication outbound for table outbox with (publish = 'insert', publish_via_partition_root = true)`,
        );
        const without = load.count - before;
        const { code } = await scene.relay.ended();
        const judgements = await refusesThenRecovers(scene, {
          exitCode: 13,
          options: ['--force'],
        });
        return {
          bit: `${without} events were committed without a publication, on Postgres ${major}`,
          judged: [
            judged('I11', code === 13, `the running relay ended with ${code ?? 'a signal'}`),
            ...judgements,
          ],
        };
      },
    );
  },
};
