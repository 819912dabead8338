import { ApiLoad } from '../../../support/api-load.ts';
import { judgeApi } from '../judge-api.ts';
import type { FaultRow } from '../fault-row.ts';
import { inFlightRecords, morePublished, moreWritten, underLoad } from '../under-load.ts';

const kills = 3;

export const row: FaultRow = {
  number: 9,
  fault:
    'Postgres killed (SIGKILL, postmaster and every backend) under load of writers and API, 3 times a round',
  expected: 'the relay comes back by itself; none lost, no half of a change',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    const stack = await round.stack();
    return underLoad(
      stack,
      { allowedDuplicates: kills * inFlightRecords },
      async ({ pipeline, relay, load }) => {
        const { url } = await pipeline.startApi();
        const api = new ApiLoad(url, { name: `row-9-${round.seed}`, writers: 2 });
        for (let kill = 1; kill <= kills; kill += 1) {
          await morePublished(relay, round.chance.int(1, 300));
          await stack.postgres.kill();
          await stack.postgres.start();
          await pipeline.reconnect();
          await relay.reached('streaming', { times: kill + 1, timeoutMs: 60_000 });
          await moreWritten(load, 20);
        }
        await api.stop();
        return {
          bit: `${kills} kills; the API answered ${api.refused} requests with something other than 201`,
          judged: [await judgeApi(pipeline, api)],
        };
      },
    );
  },
};
