import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { discardRow, redriveRow, type DeadLetter, type OutboxRowText } from '@outbound/schemas';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
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
