import { setTimeout as delay } from 'node:timers/promises';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { judgeProgress } from '../judge-progress.ts';
import { inFlightRecords, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 4,
  fault: 'relay terminated (SIGTERM) under load with every broker down, stopped or killed',
  expected: 'exits 0 in under 10 s; nothing that was not sent is acknowledged',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    const stack = await round.stack();
    const { kafka } = stack;
    return underLoad(stack, { allowedDuplicates: inFlightRecords }, async (scene) => {
      const how = round.chance.pick(['stop', 'kill'] as const);
      await Promise.all(kafka.brokers.map(async (broker) => broker[how]()));
      await scene.relay.log('a send failed and is tried again');
      await delay(round.chance.between(0, 2000));
      const exit = await scene.relay.terminate();
      await scene.load.stop();
      await kafka.start();
      const progress = await judgeProgress(scene.pipeline);
      scene.relay = await scene.start();
      return {
        bit: `sends failed after every broker went by ${how}`,
        judged: [
          progress,
          judged(
            'I8',
            exit.code === 0 && exit.durationMs < 10_000,
            `exit ${exit.code ?? exit.signal} after ${(exit.durationMs / 1000).toFixed(1)} s`,
          ),
        ],
      };
    });
  },
};
