import { setTimeout as delay } from 'node:timers/promises';
import type { FaultRow } from '../fault-row.ts';
import { inFlightRecords, morePublished, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 7,
  fault: 'the relay does nothing for 1 to 20 s (SIGSTOP), against a timeout of 6 s',
  expected: 'goes on, or makes another session; nothing lost',
  seeds: 20,
  inCi: false,
  run: async (round) =>
    underLoad(
      await round.stack(),
      { allowedDuplicates: inFlightRecords },
      async ({ relay, load }) => {
        await morePublished(relay, round.chance.int(1, 300));
        const before = load.count;
        relay.pause();
        const seconds = round.chance.between(1, 20);
        // The fault itself.
        await delay(seconds * 1000);
        const missed = load.count - before;
        relay.resume();
        if (missed === 0) throw new Error('nothing was written while the relay stood still');
        await morePublished(relay, 100);
        return {
          bit: `${missed} events were committed while it stood still for ${seconds.toFixed(1)} s`,
          judged: [],
        };
      },
    ),
};
