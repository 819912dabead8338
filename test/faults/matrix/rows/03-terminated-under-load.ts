import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { morePublished, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 3,
  fault: 'relay terminated (SIGTERM) under load, 3 times a round',
  expected: 'drains, acknowledges, exits 0 in under 10 s; nothing comes twice',
  seeds: 20,
  inCi: true,
  run: async (round) =>
    underLoad(await round.stack(), { allowedDuplicates: 0 }, async (scene) => {
      let slowestMs = 0;
      let clean = 0;
      for (let stop = 0; stop < 3; stop += 1) {
        if (stop > 0) scene.relay = await scene.start();
        await morePublished(scene.relay, round.chance.int(1, 300));
        const exit = await scene.relay.terminate();
        slowestMs = Math.max(slowestMs, exit.durationMs);
        if (exit.code === 0) clean += 1;
      }
      scene.relay = await scene.start();
      return {
        bit: '3 relays were asked to stop while writers went on',
        judged: [
          judged(
            'I8',
            clean === 3 && slowestMs < 10_000,
            `${clean} of 3 exited 0, the slowest after ${(slowestMs / 1000).toFixed(1)} s`,
          ),
        ],
      };
    }),
};
