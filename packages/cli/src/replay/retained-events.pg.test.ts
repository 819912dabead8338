import { startPostgres } from '@outbound/local-stack';
import pg from 'pg';
import { expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { RetainedEvents } from './retained-events.ts';

test('a replay is of events, each once: what dead letters have left in the outbox is none, or one that is there already', async () => {
  await using server = await startPostgres({ major: 18 });
  const databaseUrl = await server.createDatabase('retained');
  await migrateDatabase({ databaseUrl, directory: 'migrations' });
  const pool = new pg.Pool({ connectionString: databaseUrl });
  const event = '00000000-0000-7000-8000-000000000001';
  const write = async (id: string, headers: Readonly<Record<string, string>>) =>
    pool.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
       values ($1, 'a', 'k', 'a-change', 1, 'S', '{}', $2)`,
      [id, JSON.stringify(headers)],
    );
  await write(event, {});
  await write(event, { outbound_redrive: '1 0/10:0@00000000' });
  await write('00000000-0000-7000-8000-000000000002', { outbound_discard: '1 0/10:0@00000000' });
  const client = await pool.connect();
  try {
    const filter = { keys: ['k'], from: null, to: null, eventType: null };
    const retained = await RetainedEvents.open(client, filter);
    expect(await retained.count()).toEqual([{ type: 'a-change', events: 1, entities: 1 }]);
    const eids: string[] = [];
    for await (const portion of retained.portions(10)) eids.push(...portion.map(({ eid }) => eid));
    expect(eids).toEqual([event]);
  } finally {
    client.release();
    await pool.end();
  }
});
