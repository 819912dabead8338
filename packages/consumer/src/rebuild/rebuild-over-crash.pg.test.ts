import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import type { Clock } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { openPostgresStore } from '../stores/postgres-store.ts';
import { rebuildOver } from './rebuild-over.ts';
import { FakeTopic } from './test-support/fake-topic.ts';

const nowMs = Date.now();
const clock: Clock = {
  nowMs: () => nowMs,
  wallMs: () => nowMs,
  sleep: () => Promise.resolve(),
};

let postgres: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  // What is committed without waiting for the disk stays in memory for as long as that.
  postgres = await startPostgres({ settings: { wal_writer_delay: '10s' } });
  pool = new pg.Pool({ connectionString: await postgres.createDatabase('crashes') });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool.end();
  await postgres.close();
});

/** Everything that was committed before is on the disk then. */
const flush = () => pool.query('create table if not exists f (); drop table f');
const stored = async () => {
  const { rows } = await pool.query<{ next: string; keys: string[] }>(
    `select (select sum(next_offset)::text from state_position) as next, array(select key from state order by 1) as keys`,
  );
  return rows[0];
};
/**
 * Kills the server when it has taken everything up to this offset, and gives what was in the table before and after.
 */
async function crashBehind(next: string): Promise<unknown[]> {
  // The last step is written behind the reader's back.
  await eventually(async () => (await stored())?.next === next, {
    timeoutMs: 10_000,
    intervalMs: 10,
  });
  const before = await stored();
  await postgres.kill();
  await postgres.start();
  return [before, await stored()];
}

it('a state in Postgres is complete after its server was killed under it, whether something comes then or nothing', async () => {
  const topic = new FakeTopic(() => nowMs);
  for (const key of ['a', 'b']) topic.append(key, 1);
  const store = await openPostgresStore(pool, { table: 'state', topic: 't' });
  const told: string[] = [];
  const found: unknown[] = [];
  const read = topic.reader(async (step) => {
    if (step === 2) {
      await flush();
      for (const key of ['c', 'd']) topic.append(key, 1);
    }
    // Nothing comes: the next that is asked of the store is to confirm.
    if (step === 5) found.push(...(await crashBehind('4')));
    if (step === 8) {
      await flush();
      topic.append('e', 1);
    }
    if (step === 10) {
      found.push(...(await crashBehind('5')));
      topic.append('a', null);
    }
  });
  await rebuildOver(
    { read, clock },
    {
      ...{ topic: 't', store, follow: true, tombstonesLiveMs: 86_400_000 },
      onBegin: (plan) => void told.push(plan.from === 'positions' ? plan.from : plan.why),
      onCaughtUp: () => void told.push('caught up'),
    },
  );
  expect(found).toEqual([
    { next: '4', keys: ['a', 'b', 'c', 'd'] },
    { next: '2', keys: ['a', 'b'] },
    { next: '5', keys: ['a', 'b', 'c', 'd', 'e'] },
    { next: '4', keys: ['a', 'b', 'c', 'd'] },
  ]);
  expect(told).toEqual(['empty', 'caught up', 'positions', 'caught up', 'positions', 'caught up']);
  expect(await stored()).toEqual({ next: '6', keys: ['b', 'c', 'd', 'e'] });
});
