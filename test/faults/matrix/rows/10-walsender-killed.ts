import { eventually } from '../../../support/eventually.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { inFlightRecords, morePublished, underLoad } from '../under-load.ts';

const times = 3;

export const row: FaultRow = {
  number: 10,
  fault: 'the walsender alone is ended (pg_terminate_backend), 3 times a round',
  expected: 'another connection in under 5 s; none lost',
  seeds: 20,
  inCi: true,
  run: async (round) =>
    underLoad(
      await round.stack(),
      { allowedDuplicates: times * inFlightRecords },
      async ({ pipeline, relay }) => {
        let slowestMs = 0;
        for (let time = 1; time <= times; time += 1) {
          await morePublished(relay, round.chance.int(1, 200));
          const { rows } = await pipeline.sql.query<{ pid: number; done: boolean }>(
            'select active_pid as pid, pg_terminate_backend(active_pid) as done from pg_replication_slots where slot_name = $1',
            [pipeline.slot],
          );
          const pid = rows[0]?.pid;
          if (rows[0]?.done !== true) throw new Error('there was no walsender to end');
          const endedMs = performance.now();
          await eventually(
            async () => {
              const { rows: now } = await pipeline.sql.query<{ pid: number | null }>(
                'select active_pid as pid from pg_replication_slots where slot_name = $1',
                [pipeline.slot],
              );
              return typeof now[0]?.pid === 'number' && now[0].pid !== pid;
            },
            { timeoutMs: 30_000, intervalMs: 10 },
          );
          slowestMs = Math.max(slowestMs, performance.now() - endedMs);
        }
        return {
          bit: `${times} walsenders were ended by the server`,
          judged: [
            judged(
              'I8',
              slowestMs < 5000,
              `streaming again after ${(slowestMs / 1000).toFixed(1)} s at the most`,
            ),
          ],
        };
      },
    ),
};
