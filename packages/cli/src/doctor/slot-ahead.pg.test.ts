import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres, type PostgresMajor } from '@outbound/local-stack';
import { judgeWal, slotHealth, slotHealthSql, type SlotHealthRow } from '@outbound/service-kit';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { readSlotFacts } from '../recover/slot-facts.ts';
import { judgeLostSlot } from '../recover/slot-verdict.ts';
import { slotFacts } from '../trace/database-facts.ts';
import { judgeDatabase } from './database-checks.ts';
import { readDatabaseFacts } from './database-facts.ts';

const run = promisify(execFile);
const names = { slot: 'outbound', publication: 'outbound' };
const noBudget = { warnBytes: undefined, alarmBytes: undefined };

describe.each<PostgresMajor>([18, 15])(
  'a slot that is ahead of the log on Postgres %i',
  (major) => {
    test('is a data gap for everyone who looks, and keeps the outbox', async () => {
      await using server = await startPostgres({ major });
      const connectionString = await server.createDatabase('catalog');
      await migrateDatabase({ databaseUrl: connectionString, directory: 'migrations' });
      const asked = async <Answer>(ask: (pool: pg.Pool) => Promise<Answer>): Promise<Answer> => {
        const pool = new pg.Pool({ connectionString });
        // The server stops while the last connection ends; the pool says so of one that is idle, and the connection of itself.
        pool.on('error', () => undefined);
        pool.on('connect', (client) => client.on('error', () => undefined));
        try {
          return await ask(pool);
        } finally {
          await pool.end();
        }
      };
      const looks = () =>
        asked(async (pool) => {
          const health = (await pool.query<SlotHealthRow>(slotHealthSql, [names.slot])).rows[0];
          const findings = judgeDatabase(await readDatabaseFacts(pool, names), names);
          const client = await pool.connect();
          const facts = await readSlotFacts(client, names.slot);
          client.release();
          const house = await pool.query<{ line: string }>(
            "select concat_ws(' ', action, partition_name, detail) as line from outbox_housekeeping('3 days', 7, '0')",
          );
          return {
            state: judgeWal(health && slotHealth(health), undefined, noBudget).state,
            doctor: findings.find(({ check }) => check === 'slot outbound')?.level,
            isAhead: (await slotFacts(pool, names.slot)).isAhead,
            facts,
            house: house.rows.map(({ line }) => line),
          };
        });
      const dataOf = { live: server.dataDir, saved: `${server.dataDir}-saved` };
      const slotOf = (data: string) => join(data, 'pg_replslot', names.slot);

      await asked(async (pool) => {
        await pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [names.slot]);
        await pool.query(`
        do $$ begin
          execute format('create table outbox_old partition of outbox for values from (%L) to (%L)', now() - interval '6 days', now() - interval '5 days');
        end $$`);
        await pool.query("select outbox_housekeeping('30 days', 7, '0')");
      });
      await server.stop();
      try {
        await run('cp', ['-a', dataOf.live, dataOf.saved]);
        await server.start();
        await asked(async (pool) => {
          await pool.query("select pg_logical_emit_message(true, 'x', repeat('x', 1000000))");
          await pool.query('select pg_replication_slot_advance($1, pg_current_wal_flush_lsn())', [
            names.slot,
          ]);
        });
        expect(await asked((pool) => slotFacts(pool, names.slot))).toMatchObject({
          isAhead: false,
        });
        await server.stop();
        // The log is brought back, and the slots are not.
        await rm(slotOf(dataOf.saved), { recursive: true });
        await run('cp', ['-a', slotOf(dataOf.live), slotOf(dataOf.saved)]);
        await rm(dataOf.live, { recursive: true });
        await run('cp', ['-a', dataOf.saved, dataOf.live]);
      } finally {
        await rm(dataOf.saved, { recursive: true, force: true });
      }
      await server.start();
      const { facts, ...seen } = await looks();
      expect(seen).toEqual({
        state: 'lost',
        doctor: 'fault',
        isAhead: true,
        house: [
          expect.stringMatching(
            /^kept outbox_old slot outbound has confirmed .* recover it first$/,
          ),
        ],
      });
      expect(judgeLostSlot(facts, {}).why).toBe('has confirmed more than the log has');
    });
  },
);
