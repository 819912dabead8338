import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import { lsnFromText, noLsn } from '../../services/relay/src/wal/lsn.ts';
import { createOutboxDatabase } from '../../services/relay/src/wal/test-support/outbox-database.ts';
import { eventually } from '../support/eventually.ts';
import { changeSourceConformance } from './change-source.ts';

const insertSql = `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
  select gen_random_uuid(), 'sim.item', 'item', 'sim.item-change', n, 'U', '{}' from generate_series(1, $1) n`;

describe.each([18, 15] as const)('on Postgres %i', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major, settings: { wal_sender_timeout: '3s' } });
  });
  afterAll(async () => server.close());

  changeSourceConformance('Postgres', async () => {
    const db = await createOutboxDatabase(server);
    return {
      source: () => db.source(),
      commit: async (rows) => {
        await db.admin.query(insertSql, [rows]);
      },
      rollBack: async (rows) => {
        await db.admin.query('begin');
        await db.admin.query(insertSql, [rows]);
        await db.admin.query('rollback');
      },
      writeElsewhere: async () => {
        await db.admin.query(`comment on table other is '${randomUUID()}'`);
      },
      confirmedLsn: async () => {
        const text = await db.confirmedFlushLsn();
        return text === undefined ? noLsn : lsnFromText(text);
      },
      cut: async () => {
        await db.admin.query(
          'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
          [db.slot],
        );
      },
      settle: (promise) => promise,
      until: async (what, isTrue) => {
        await eventually(isTrue, { timeoutMs: 15_000 }).catch((cause: unknown) => {
          throw new Error(`not in time: ${what}`, { cause });
        });
      },
      // For what must not happen there is nothing to wait for but time.
      pass: () => delay(400),
      [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
    };
  });
});
