import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres } from '@outbound/local-stack';
import { readTopics } from '@outbound/consumer';
import pg from 'pg';
import { expect, test } from 'vitest';
import { eventually } from './support/eventually.ts';
import { connectionTo } from './support/read-topics.ts';
import { recover } from './support/recover.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { migrateTemplate, startTestStack, urlAs } from './support/test-stack.ts';

const run = promisify(execFile);
/** Of the same package as the server, which a dump has to be read with. */
const bin = '/usr/lib/postgresql/15/bin';

// The journal's positions are of the old server's log, which is longer than the new one's: they are no decisions of a history that a restore has undone.
test('what waits in the dead letters is not parked again when a dump was restored on another server', async () => {
  await using stack = await startTestStack({ postgres: { major: 15 } });
  await using pipeline = await TestPipeline.create(stack);
  const insert = (sql: pg.Client, version: number, type = 'catalog.product-change') =>
    sql.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
       values (gen_random_uuid(), 'catalog.product', 'parked', $1, $2, 'U', '{}')`,
      [type, version],
    );
  for (let segment = 0; segment < 4; segment += 1)
    await pipeline.sql.query(
      "select pg_logical_emit_message(true, 'fill', 'x') union all select pg_switch_wal()",
    );
  const relay = await pipeline.startRelay();
  await insert(pipeline.sql, 1, 'shop.later');
  await insert(pipeline.sql, 2);
  await pipeline.caughtUp();
  await relay.terminate();

  await using other = await startPostgres({ major: 15 });
  // Roles are in no dump.
  await migrateTemplate(other);
  const restored = await other.createDatabase(new URL(pipeline.databaseUrl).pathname.slice(1));
  const folder = await mkdtemp(join(tmpdir(), 'dumps-'));
  try {
    const file = join(folder, 'catalog.dump');
    await run(`${bin}/pg_dump`, ['-Fc', '--file', file, '--dbname', pipeline.databaseUrl]);
    await run(`${bin}/pg_restore`, ['--exit-on-error', '--dbname', restored, file]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const sql = new pg.Client({ connectionString: restored });
  await sql.connect();
  try {
    const place = await sql.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
    const before = await pipeline.walEnd();
    const { rows } = await sql.query<{ is_behind: boolean }>(
      'select $1::pg_lsn < $2::pg_lsn as is_behind',
      [place.rows[0]?.lsn, before],
    );
    expect(rows).toEqual([{ is_behind: true }]);
    await insert(sql, 3);
    const env = { OUTBOUND_DATABASE_URL: urlAs(restored, 'outbound_operator') };
    const options = ['--yes', '--park-unknown'];
    const recovered = await recover(pipeline, options, undefined, undefined, env);
    expect(recovered, recovered.err).toMatchObject({ code: 0 });
    await pipeline.startRelay({ RELAY_DATABASE_URL: urlAs(restored, 'outbound_relay') });
    const { rows: end } = await sql.query<{ lsn: string }>(
      'select pg_current_wal_insert_lsn()::text as lsn',
    );
    await eventually(
      async () =>
        (
          await sql.query(
            'select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn >= $2::pg_lsn',
            [pipeline.slot, end[0]?.lsn],
          )
        ).rowCount === 1,
      { timeoutMs: 60_000 },
    );
    const versions: number[] = [];
    await readTopics({
      connection: connectionTo(stack.kafka.directBootstrap),
      topics: [pipeline.topic('outbound.dead-letters')],
      from: ({ low }) => low,
      until: 'end',
      onBatch: (records) => {
        for (const { headers } of records)
          if (headers['outbox_version'] !== undefined)
            versions.push(Number(headers['outbox_version']));
      },
    });
    expect(versions).toEqual([1, 2, 3]);
    expect(recovered.answer().emitted).toBe(1);
  } finally {
    await sql.query('select pg_drop_replication_slot($1)', [pipeline.slot]).catch(() => undefined);
    await sql.end();
  }
});
