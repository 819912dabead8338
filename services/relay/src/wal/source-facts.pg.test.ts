import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSourceFacts } from './source-facts.ts';
import { createOutboxDatabase } from './test-support/outbox-database.ts';

describe.each([18, 15] as const)('what Postgres %i says of a role', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major });
  });
  afterAll(async () => server.close());

  it('may replicate by the attribute, and by membership where a managed server has that instead', async () => {
    await using db = await createOutboxDatabase(server);
    await db.admin.query(`
      create role managed login password 'managed-secret';
      grant select on relay_slot to managed`);
    const url = new URL(db.url);
    url.username = 'managed';
    url.password = 'managed-secret';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    const names = {
      slot: 's',
      publication: 'outbound',
      outbox: { schema: 'public', name: 'outbox' },
    };
    const may = async () => (await readSourceFacts(client, names)).server.mayReplicate;
    try {
      expect(await may()).toBe(false);
      await db.admin.query('create role rds_replication; create role between');
      expect(await may()).toBe(false);
      await db.admin.query('grant rds_replication to between; grant between to managed');
      expect(await may()).toBe(true);
      await db.admin.query('revoke between from managed; alter role managed replication');
      expect(await may()).toBe(true);
    } finally {
      await client.end();
    }
  });
});
