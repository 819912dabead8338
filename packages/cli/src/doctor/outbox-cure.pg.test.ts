import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import { outbound } from '../test-support/outbound.ts';
import type { Finding } from './finding.ts';

describe.each<PostgresMajor>([18, 15])('what doctor says of the outbox on Postgres %i', (major) => {
  let server: PostgresServer;
  let admin: pg.Client;
  let operator: pg.Client;
  let operatorUrl = '';

  beforeAll(async () => {
    server = await startPostgres({ major });
    const databaseUrl = await server.createDatabase('catalog');
    const passwords = { outbound_operator: 'operator' };
    await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
    const login = { username: 'outbound_operator', password: 'operator' };
    operatorUrl = Object.assign(new URL(databaseUrl), login).href;
    admin = new pg.Client(databaseUrl);
    operator = new pg.Client(operatorUrl);
    await admin.connect();
    await operator.connect();
  });
  afterAll(async () => {
    await admin?.end();
    await operator?.end();
    await server?.close();
  });

  async function finding(): Promise<Finding | undefined> {
    const { json } = await outbound(['doctor', '--json'], {
      env: { OUTBOUND_DATABASE_URL: operatorUrl },
    });
    const [answer] = json() as [{ findings: Finding[] }];
    return answer.findings.find(({ check }) => check === 'outbox partitions');
  }
  const insert = () =>
    admin.query(`
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
      values (gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}')`);

  test('its cure empties a filled default partition and makes the days ahead', async () => {
    expect(await finding()).toMatchObject({ level: 'ok' });
    await admin.query(`
      do $$ declare part record; begin
        for part in select partition_name from outbox_partition order by upper_bound limit 7 loop
          execute format('drop table %I', part.partition_name);
        end loop;
      end $$`);
    await insert();
    const sick = await finding();
    expect(sick).toMatchObject({
      level: 'warning',
      says: 'outbox_default has rows, and no partition is made before they moved',
    });
    const [statement = ''] = /^call [^;]+;/.exec(sick?.fix ?? '') ?? [];
    await operator.query(statement);
    expect(await finding()).toEqual({
      check: 'outbox partitions',
      level: 'ok',
      says: expect.stringMatching(/^7 days ahead$/) as string,
    });
  });

  test('bounds that a broken-off run left are a fault while they are about to refuse rows, and cured by the same', async () => {
    await admin.query(`
      do $$ declare part record; begin
        for part in select partition_name from outbox_partition loop execute format('drop table %I', part.partition_name); end loop;
        execute format('alter table outbox_default add constraint outbox_default_bound check (created_at >= %L and created_at < %L)',
          '-infinity', now() + interval '11 hours');
      end $$`);
    const sick = await finding();
    expect(sick).toMatchObject({
      level: 'fault',
      says: expect.stringMatching(/^outbox_default refuses rows from /) as string,
    });
    const [statement = ''] = /^call [^;]+;/.exec(sick?.fix ?? '') ?? [];
    await operator.query(statement);
    expect(await finding()).toMatchObject({ level: 'ok' });
  });
});
