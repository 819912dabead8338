import { startFaultProxy } from '../../../support/fault-proxy.ts';
import type { FaultRow } from '../fault-row.ts';
import { moreWritten, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 24,
  fault: 'the stream arrives in pieces of 1 to 7 bytes, cut anywhere',
  expected: 'the same bytes come out',
  seeds: 20,
  inCi: true,
  run: async (round) => {
    const stack = await round.stack();
    await using proxy = await startFaultProxy({ port: stack.postgres.port });
    const load = { writers: 2, pauseMs: 20 };
    return await underLoad(
      stack,
      { postgresProxy: proxy, allowedDuplicates: 0, load },
      async (scene) => {
        const bytes = round.chance.int(1, 7);
        proxy.set({ mode: 'slice', bytes });
        await moreWritten(scene.load, 150);
        await scene.pipeline.caughtUp();
        const { slices } = proxy.counts;
        proxy.heal();
        return { bit: `${slices.toLocaleString('en')} pieces of ${bytes} bytes`, judged: [] };
      },
    );
  },
};
