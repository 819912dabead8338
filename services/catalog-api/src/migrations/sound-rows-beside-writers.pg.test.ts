import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrateDatabase } from './migrate-database.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ major: 18 });
});
afterAll(() => server?.close());

it('puts the rules of the tables in one function each while writers go on without a pause', async () => {
  const url = await server.createDatabase('written_to');
  const directory = mkdtempSync(join(tmpdir(), 'migrations-'));
  for (const file of readdirSync('migrations').filter((each) => each < '0029'))
    cpSync(join('migrations', file), join(directory, file));
  await migrateDatabase({ databaseUrl: url, directory });
  rmSync(directory, { recursive: true });
  const pool = new pg.Pool({ connectionString: url, max: 6 });
  let isOver = false;
  let written = 0;
  const change = `changed as (
      insert into product (id, sku, name, status, version)
      values (gen_random_uuid(), gen_random_uuid()::text, 'n', 'ACTIVE', 1) returning id
    )
    insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
    select gen_random_uuid(), 'catalog.product', id, 'e', 1, 'C', '{}' from changed`;
  const keep = `insert into idempotency_key (scope, key, request_hash, response_status)
    values ('s', gen_random_uuid()::text, sha256('x'), 201)`;
  /** As the API writes: in one statement, or with a look for a kept answer that is kept at last. */
  const writes = [
    `with ${change}`,
    `with kept as (${keep}), ${change}`,
    `begin; select from idempotency_key where key = 'k'; with ${change}; ${keep}; commit`,
  ];
  const writeOn = async (statement: string) => {
    while (!isOver) {
      await pool.query(statement);
      written += 1;
    }
  };
  const writers = Promise.all([...writes, ...writes].map(writeOn));
  try {
    const applied = await migrateDatabase({
      databaseUrl: url,
      directory: 'migrations',
      lockTimeoutMs: 20_000,
    });
    expect(applied).toContain('0029_sound_rows.sql');
  } finally {
    isOver = true;
    await writers;
    await pool.end();
  }
  expect(written).toBeGreaterThan(0);
}, 120_000);
