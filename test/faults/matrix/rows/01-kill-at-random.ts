import type { FaultRow } from '../fault-row.ts';
import { inFlightRecords, moreWritten, morePublished, underLoad } from '../under-load.ts';

const kills = 10;

/** Twenty seeds of ten kills. */
export const row: FaultRow = {
  number: 1,
  fault: 'relay killed (SIGKILL) at random moments under load, 10 times a round, 200 in all',
  expected: 'goes on by itself; duplicates only',
  seeds: 20,
  inCi: false,
  run: async (round) =>
    underLoad(
      await round.stack(),
      { allowedDuplicates: kills * inFlightRecords },
      async (scene) => {
        let signals = 0;
        for (let kill = 0; kill < kills; kill += 1) {
          if (kill > 0) scene.relay = await scene.start();
          await morePublished(scene.relay, round.chance.int(1, 300));
          if ((await scene.relay.kill()).signal === 'SIGKILL') signals += 1;
        }
        if (signals < kills) throw new Error(`only ${signals} of ${kills} relays died of SIGKILL`);
        scene.relay = await scene.start();
        await moreWritten(scene.load, 50);
        return { bit: `${signals} relays died of SIGKILL while they published`, judged: [] };
      },
    ),
};
