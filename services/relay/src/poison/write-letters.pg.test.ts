import { startPostgres } from '@outbound/local-stack';
import type { OutboxRowText } from '@outbound/contract';
import pg from 'pg';
import { expect, test } from 'vitest';
import { migrateDatabase } from '../../../catalog-api/src/migrations/migrate-database.ts';
import { writeLetters } from './write-letters.ts';

test('letters go into the outbox in order, by the relay’s own role, or none of them where the table does not take one', async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('letters');
  await migrateDatabase({
    databaseUrl: url,
    directory: 'migrations',
    passwords: { outbound_relay: 'relay' },
  });
  const login = { username: 'outbound_relay', password: 'relay' };
  const connection = { databaseUrl: Object.assign(new URL(url), login).href };
  const row = (number: number, over: Partial<OutboxRowText> = {}): OutboxRowText => ({
    id: `00000000-0000-7000-8000-00000000000${number}`,
    ...{ aggregatetype: 'a', aggregateid: 'k', type: 'a-change', version: String(number) },
    ...{ data_op: 'U', payload: `{ "n": ${number}.50 }` },
    headers: JSON.stringify({ outbound_redrive: `${number} 0/10:0@00000000` }),
    ...over,
  });
  const admin = new pg.Client(url);
  await admin.connect();
  const written = async () =>
    (await admin.query<{ payload: string }>('select payload::text from outbox order by ctid')).rows;

  expect(await writeLetters(connection, [row(2), row(1)])).toBeUndefined();
  expect(await written()).toEqual([{ payload: '{ "n": 2.50 }' }, { payload: '{ "n": 1.50 }' }]);

  // The most that the table takes of anybody, and the longest mark.
  const most = JSON.stringify({
    flow_id: 'x'.repeat(8178),
    outbound_redrive: `${10 ** 15 - 1} ${'9'.repeat(100)}`,
  });
  expect(await writeLetters(connection, [row(3, { headers: most })])).toBeUndefined();

  const long = JSON.stringify({ flow_id: 'x'.repeat(8500), outbound_redrive: '4 0/10:0@00000000' });
  const refused = await writeLetters(connection, [row(3), row(4, { headers: long })]);
  expect(refused?.message).toContain('outbox_headers_check');
  const unmarked = await writeLetters(connection, [row(5, { headers: '{}' })]);
  expect(unmarked?.message).toContain('outbox_redrive takes dead letters only');
  expect(await written()).toHaveLength(3);

  const nobody = Object.assign(new URL(url), { username: 'nobody', password: 'x' }).href;
  await expect(writeLetters({ databaseUrl: nobody }, [row(6)])).rejects.toMatchObject({
    code: 'SOURCE_AUTH_FAILED',
  });
  await admin.end();
});
