import { eventually } from '../../support/eventually.ts';
import { startFaultProxy, type Fault } from '../../support/fault-proxy.ts';
import type { FaultOutcome, FaultRound } from './fault-row.ts';
import { judged } from './judged.ts';
import { inFlightRecords, morePublished, underLoad } from './under-load.ts';

/**
 * The server's is 6 s. The relay's watchdog waits for twice as long, and then 10 s for an answer on another connection (`sender-watch.ts`, `connection-config.ts`): only that one
 * can tell a dead link from a server that works. Its timer and this machine get 3 s.
 */
const limitMs = 2 * 6000 + 10_000 + 3000;

/** Under load the link between relay and Postgres goes silent: both ends have to notice by themselves, and the relay to come back when it heals. */
export async function lostLink(round: FaultRound, fault: Fault): Promise<FaultOutcome> {
  const stack = await round.stack();
  await using proxy = await startFaultProxy({ port: stack.postgres.port });
  return await underLoad(
    stack,
    { postgresProxy: proxy, allowedDuplicates: inFlightRecords },
    async ({ pipeline, relay }) => {
      await morePublished(relay, round.chance.int(1, 300));
      const dropped = () => proxy.counts.dropped.up + proxy.counts.dropped.down;
      const before = dropped();
      proxy.set(fault);
      const beganMs = performance.now();
      const ended = () =>
        relay.logs.some(({ message }) => message === 'the session failed and starts again');
      await eventually(ended, { timeoutMs: 60_000 });
      const noticedMs = performance.now() - beganMs;
      await eventually(
        async () => {
          const { rows } = await pipeline.sql.query<{ active: boolean }>(
            'select active from pg_replication_slots where slot_name = $1',
            [pipeline.slot],
          );
          return rows[0]?.active === false;
        },
        { timeoutMs: 60_000 },
      );
      const freedMs = performance.now() - beganMs;
      const { status } = await relay.ready();
      const bytes = dropped() - before;
      proxy.heal();
      const healedMs = performance.now();
      await relay.reached('streaming', { times: 2, timeoutMs: 60_000 });
      const backMs = performance.now() - healedMs;
      return {
        bit: `${bytes.toLocaleString('en')} bytes dropped`,
        judged: [
          judged(
            'I8',
            noticedMs < limitMs,
            `noticed after ${(noticedMs / 1000).toFixed(1)} s, slot free after ${(freedMs / 1000).toFixed(1)} s, streaming ${(backMs / 1000).toFixed(1)} s after the heal (wal_sender_timeout 6 s)`,
          ),
          judged('I11', status === 'not ready', `readiness said "${status}" meanwhile`),
        ],
      };
    },
  );
}
