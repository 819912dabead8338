import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { discardRow, redriveRow, type DeadLetter, type OutboxRowText } from '@outbound/contract';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import type { RedrivePlan } from './letter-plan.ts';
import { writeRedrives } from './write-redrives.ts';
import { writeOutboxRows } from './write-rows.ts';

let server: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  server = await startPostgres({});
  const databaseUrl = await server.createDatabase('letters');
  const passwords = { outbound_operator: 'operator' };
  await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
  const login = { username: 'outbound_operator', password: 'operator' };
  pool = new pg.Pool({ connectionString: Object.assign(new URL(databaseUrl), login).href });
});
afterAll(async () => {
  await pool?.end();
  await server?.close();
});

const letter = (n: number): DeadLetter => ({
  ...{ since: '0/1', number: n, eid: eidOf(n), aggregateType: 'x', aggregateId: 'a', type: 'x.y' },
  ...{ version: '1', dataOp: 'U', payload: Buffer.from(`{"n": ${n}.50}`), leftOutBytes: undefined },
  ...{ headers: '{"flow_id":"f"}', reason: 'failed', code: 'C', message: '', at: '' },
});
const eidOf = (n: number): string => `00000000-0000-7000-8000-00000000000${n}`;
const again = (n: number): OutboxRowText => {
  const row = redriveRow(letter(n));
  if (!row) throw new Error('a letter with a payload can go again');
  return row;
};

it('letters that go again and letters that are given up are written in their order, and nothing else is', async () => {
  await expect(
    writeOutboxRows(pool, [again(1), { ...again(2), headers: '{"flow_id":"f"}' }]),
  ).rejects.toThrow('takes dead letters only');
  await writeOutboxRows(pool, [again(4), discardRow(letter(3), eidOf(5))]);
  const { rows } = await pool.query<{ id: string; payload: string }>(
    'select id, payload::text from outbox order by ctid',
  );
  expect(rows).toEqual([
    { id: eidOf(4), payload: '{"n": 4.50}' },
    { id: eidOf(5), payload: '{}' },
  ]);
});

it('a letter that the database refuses is told, ends its own key, and holds up no other one', async () => {
  const plan = (aggregateId: string, rows: readonly OutboxRowText[]): RedrivePlan => ({
    key: {
      ...{ aggregateType: 'x', aggregateId, letters: [], place: '' },
      state: {
        ...{ since: '0/1', count: rows.length, done: 0, code: 'C', type: 'x.y' },
        ...{ firstEid: '', lastEid: '', at: '' },
      },
    },
    rows,
    stopsAt: undefined,
  });
  const tooLong = { ...again(2), headers: `{"outbound_redrive":"${'1'.repeat(9000)}"}` };
  const sums: number[] = [];
  const done = await writeRedrives(
    pool,
    [plan('a', [again(1), tooLong, again(3)]), plan('b', [again(4)])],
    {
      signal: new AbortController().signal,
      onWritten: async (sum) => {
        sums.push(sum);
        return Promise.resolve();
      },
    },
  );
  expect(done).toMatchObject({
    written: 2,
    refused: [{ plan: { key: { aggregateId: 'a' } }, row: { id: eidOf(2) } }],
  });
  expect(done.refused[0]?.reason).toContain('outbox_headers_check');
  expect(sums).toEqual([1, 2]);
  const { rows } = await pool.query<{ id: string }>(
    "select id from outbox where payload ->> 'n' is not null order by ctid offset 1",
  );
  expect(rows.map(({ id }) => id)).toEqual([eidOf(1), eidOf(4)]);
});
