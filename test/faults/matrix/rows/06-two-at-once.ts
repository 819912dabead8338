import { eventually } from '../../../support/eventually.ts';
import type { RelayProcess } from '../../../support/relay-process.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { inFlightRecords, morePublished, underLoad } from '../under-load.ts';

/** The server's wal_sender_timeout here, and what a start of a session may take. */
const limitMs = 6000 + 5000;

const lastState = (relay: RelayProcess): unknown =>
  relay.logs.findLast(({ message }) => message === 'state changed')?.['state'];

export const row: FaultRow = {
  number: 6,
  fault: 'two relays are started at the same moment; the one that got the slot is killed',
  expected: 'one streams, the other is a standby and takes over within the timeout and 5 s',
  seeds: 20,
  inCi: false,
  run: async (round) =>
    underLoad(await round.stack(), { allowedDuplicates: inFlightRecords }, async (scene) => {
      await scene.relay.terminate();
      const both = [scene.launch(), scene.launch()] as const;
      await eventually(() => both.map(lastState).sort().join() === 'standby,streaming', {
        timeoutMs: 60_000,
      });
      const [holder, waiting] =
        lastState(both[0]) === 'streaming' ? both : ([both[1], both[0]] as const);
      await morePublished(holder, round.chance.int(1, 300));
      await holder.kill();
      const killedMs = performance.now();
      await morePublished(waiting, 1);
      const tookMs = performance.now() - killedMs;
      scene.relay = waiting;
      return {
        bit: 'one of two streamed and was killed, the other stood by',
        judged: [
          judged(
            'I8',
            tookMs < limitMs,
            `the standby's first record ${(tookMs / 1000).toFixed(1)} s after the kill`,
          ),
        ],
      };
    }),
};
