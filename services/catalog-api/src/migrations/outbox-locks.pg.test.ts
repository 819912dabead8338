import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { HouseDatabase } from '../test-support/house-database.ts';
import { houseStep, keepHouse } from '../test-support/keep-house.ts';
import { migrateDatabase } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])(
  'who has a lock when housekeeping comes, on Postgres %i',
  (major) => {
    let server: PostgresServer;
    let db: HouseDatabase;
    let client: pg.Client;
    let other: pg.Client;
    let third: pg.Client;
    let count = 0;

    beforeAll(async () => {
      server = await startPostgres({ major, settings: { max_prepared_transactions: '4' } });
      const databaseUrl = await server.createDatabase('migrated');
      const passwords = { outbound_operator: 'operator' };
      await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
    });
    afterAll(() => server?.close());
    beforeEach(async () => {
      db = await HouseDatabase.create(server, `locks_${(count += 1)}`);
      ({ client, other, third } = db);
      return () => db[Symbol.asyncDispose]();
    });

    const moved = expect.stringMatching(/^moved /) as string;
    const created = expect.stringMatching(/^created outbox_\d{8}$/) as string;
    /** Somebody whom it is in vain to wait for. */
    async function hold(by: pg.Client, statement: string): Promise<void> {
      await by.query(`begin; ${statement}`);
      await eventually(async () => {
        const { rows } = await by.query<{ isLong: boolean }>(
          `select clock_timestamp() - now() > interval '1100 ms' as "isLong"`,
        );
        return rows[0]?.isLong;
      });
    }
    const inUse = expect.stringMatching(
      /^skipped outbox_\w+ process \d+ \(\) has outbox\w* in a transaction since .+; the next run tries again$/,
    ) as string;

    test.each([
      ['bounded', 0],
      ['moved', 2],
    ])(
      'a reader of the outbox is not waited for, so nobody waits behind housekeeping: before rows are %s',
      async (_, steps) => {
        await db.loseTheDays();
        await db.insert();
        for (let step = 0; step < steps; step += 1) await houseStep(client);
        await db.waitLong();
        await hold(other, 'select from outbox');
        await third.query("set lock_timeout = '200ms'");
        const [lines] = await Promise.all([houseStep(client), db.insert(1, third)]);
        expect(lines).toEqual([inUse]);
        await other.query('commit');
        expect(await keepHouse(client)).toContainEqual(moved);
      },
    );

    test('a reader of an old partition is not waited for, so nobody waits behind its drop', async () => {
      await db.addPartition('outbox_old', -6);
      await client.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
      await keepHouse(client, { retention: '30 days' });
      await client.query("select pg_replication_slot_advance('reader', pg_current_wal_lsn())");
      await db.waitLong();
      await hold(other, 'select from outbox_old');
      await third.query("set lock_timeout = '200ms'");
      const [lines] = await Promise.all([houseStep(client), db.insert(1, third)]);
      expect(lines).toEqual([inUse]);
      await other.query('commit');
      expect(await keepHouse(client)).toEqual(['dropped outbox_old']);
    });

    test('a reader of the default partition is not waited for, and the days come after him', async () => {
      await db.waitLong();
      await hold(other, 'select from outbox_default');
      expect(await houseStep(client, { daysAhead: 8 })).toEqual([inUse]);
      await other.query('commit');
      expect(await keepHouse(client, { daysAhead: 8 })).toEqual([created]);
    });

    test('a prepared transaction, which does not say when it began, is not waited for', async () => {
      await db.waitLong();
      await other.query("begin; select from outbox_default; prepare transaction 'kept'");
      expect(await houseStep(client, { daysAhead: 8 })).toEqual([
        expect.stringMatching(
          /^skipped outbox_default a prepared transaction has outbox_default; the next run tries again$/,
        ),
      ]);
      await other.query("rollback prepared 'kept'");
    });

    test('a short writer is waited for until the time is over, and whoever queued behind it writes', async () => {
      await db.loseTheDays();
      await db.insert();
      await other.query('begin');
      await db.insert(1, other);
      const lines = houseStep(client);
      await db.insert(1, third);
      expect(await lines).toEqual([expect.stringMatching(/^skipped outbox_default /)]);
      await other.query('commit');
      expect(await keepHouse(client)).toContainEqual(moved);
    });
  },
);
