import type pg from 'pg';
import { startTestStack } from '../../../support/test-stack.ts';
import { eventually } from '../../../support/eventually.ts';
import type { FaultRow } from '../fault-row.ts';
import { underLoad } from '../under-load.ts';

const writers = 1000;
const writesEach = 5;

export const row: FaultRow = {
  number: 18,
  fault: '1,000 writers at once on 10 entities, each with a connection of its own',
  expected: 'the order of each entity is the order of its versions',
  seeds: 5,
  inCi: false,
  run: async (round) => {
    await using stack = await startTestStack({
      postgres: { settings: { max_connections: '1100' } },
    });
    return await underLoad(
      stack,
      { allowedDuplicates: 0, healLimitMs: 120_000 },
      async ({ pipeline, relay }) => {
        const clients: pg.Client[] = [];
        for (let n = 0; n < writers; n += 50)
          clients.push(
            ...(await Promise.all(Array.from({ length: 50 }, async () => pipeline.connect()))),
          );
        const { rows } = await pipeline.sql.query<{ n: number }>(
          "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend'",
        );
        const connected = rows[0]?.n ?? 0;
        if (connected < writers) throw new Error(`only ${connected} connections were open`);
        const picks = clients.map(() => round.chance.int(0, 9));
        await Promise.all(
          clients.map(async (client, index) => {
            for (let n = 0; n < writesEach; n += 1)
              await client.query('select write_event($1, $2)', [
                `hot-${((picks[index] ?? 0) + n) % 10}`,
                n === 4 ? 'D' : 'U',
              ]);
          }),
        );
        await eventually(() => relay.isRunning);
        await Promise.all(clients.map(async (client) => client.end()));
        return {
          bit: `${writers} of ${connected} connections wrote ${writers * writesEach} events on 10 entities`,
          judged: [],
        };
      },
    );
  },
};
