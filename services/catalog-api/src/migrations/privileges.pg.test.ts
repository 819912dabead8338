import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrateDatabase } from './migrate-database.ts';
import { scramVerifier } from './scram-verifier.ts';

const insufficientPrivilege = { code: '42501' };

describe.each<PostgresMajor>([18, 15])('roles on Postgres %i', (major) => {
  let server: PostgresServer;
  let admin: pg.Client;
  let api: pg.Client;
  let relay: pg.Client;
  let operator: pg.Client;

  beforeAll(async () => {
    server = await startPostgres({ major });
    const url = await server.createDatabase('catalog');
    const passwords = {
      outbound_api: 'api',
      outbound_relay: 'relay',
      outbound_operator: 'operator',
    };
    await migrateDatabase({ databaseUrl: url, directory: 'migrations', passwords });
    const connect = async (login?: { username: string; password: string }) => {
      const client = new pg.Client({
        connectionString: Object.assign(new URL(url), login ?? {}).href,
      });
      await client.connect();
      return client;
    };
    admin = await connect();
    api = await connect({ username: 'outbound_api', password: 'api' });
    relay = await connect({ username: 'outbound_relay', password: 'relay' });
    operator = await connect({ username: 'outbound_operator', password: 'operator' });
  });
  afterAll(async () => {
    for (const client of [admin, api, relay, operator]) await client?.end();
    await server?.close();
  });

  test.each(['pencil', `it's "q" \\\\ $$ %`, 'pässwörd', 'пароль', '密碼', '😀', 'a\u0007b', 'א1'])(
    'what migrate keeps of the password %j is what the server would have kept',
    async (password) => {
      await admin.query(
        `drop role if exists somebody; create role somebody password ${pg.escapeLiteral(password)}`,
      );
      const { rows } = await admin.query<{ rolpassword: string }>(
        "select rolpassword from pg_authid where rolname = 'somebody'",
      );
      const kept = rows[0]?.rolpassword ?? '';
      const salt = Buffer.from(/^SCRAM-SHA-256\$4096:([^$]+)\$/.exec(kept)?.[1] ?? '', 'base64');
      expect(scramVerifier(password, salt)).toBe(kept);
    },
  );

  const columns = 'id, aggregatetype, aggregateid, type, version, data_op, payload';
  const values =
    "gen_random_uuid(), 'catalog.product', 'p', 'catalog.product-change', 1, 'C', '{}'";

  test('the api adds to the outbox, and neither reads nor changes it', async () => {
    await api.query(`insert into outbox (${columns}) values (${values})`);
    for (const statement of [
      'select from outbox',
      'select from outbox_default',
      `insert into outbox (${columns}) values (${values}) returning id`,
      "update outbox set type = 'x'",
      'delete from outbox',
      'truncate outbox',
    ])
      await expect(api.query(statement), statement).rejects.toMatchObject(insufficientPrivilege);
  });

  test('the api cannot mark an event as a dead letter, however it spells it; the operator and the owner can', async () => {
    const marked = (header: string) =>
      `insert into outbox (${columns}, headers) values (${values}, '{"flow_id":"f", ${header} : "1 0/1"}')`;
    for (const header of ['"outbound_redrive"', '"outbound_discard"', '"outbound\\u005fredrive"'])
      await expect(api.query(marked(header)), header).rejects.toMatchObject({
        code: '23514',
        message: expect.stringContaining('reserved for dead letters') as string,
      });
    for (const client of [operator, admin]) await client.query(marked('"outbound_redrive"'));
  });

  test('the api cannot say when an event was created, so no sealed partition gets a row', async () => {
    for (const moment of ["'2020-01-01'", 'default'])
      await expect(
        api.query(`insert into outbox (${columns}, created_at) values (${values}, ${moment})`),
      ).rejects.toMatchObject(insufficientPrivilege);
  });

  test('the api reads and writes its tables, deletes no entity, and nothing else', async () => {
    for (const table of ['product', 'category', 'idempotency_key']) {
      await api.query(`select from ${table} for update`);
      await expect(api.query(`truncate ${table}`)).rejects.toMatchObject(insufficientPrivilege);
      await expect(api.query(`drop table ${table}`)).rejects.toMatchObject(insufficientPrivilege);
    }
    await api.query('delete from idempotency_key');
    await api.query('select from schema_migration');
    for (const statement of [
      'create table x ()',
      'select from relay_slot',
      'select from outbox_seal',
      'delete from product',
      'delete from category',
      'truncate product',
      'delete from schema_migration',
      'select outbox_housekeeping()',
      'call outbox_keep_house()',
      'select from outbox_default_bound',
      'select outbox_hold()',
      "select pg_create_logical_replication_slot('mine', 'pgoutput')",
      'alter publication outbound drop table outbox',
    ])
      await expect(api.query(statement), statement).rejects.toMatchObject(insufficientPrivilege);
  });

  test('the relay keeps house and records its slot, and reads no table of the catalog', async () => {
    await relay.query('select * from outbox_housekeeping()');
    await relay.query('call outbox_keep_house()');
    await relay.query("insert into relay_slot values ('s', '1', now(), '0/1')");
    await relay.query('select from relay_slot');
    for (const statement of [
      'select from product',
      'select from category',
      'select from idempotency_key',
      'select from outbox',
      'delete from outbox',
      'delete from relay_slot',
      "update relay_slot set slot_name = 'other'",
      'select outbox_hold()',
      'insert into outbox_seal values (null)',
      'select outbox_open_transaction(now())',
      "select outbox_lock('access exclusive', 'outbox_default')",
      'select outbox_clear_default()',
      'select outbox_exchange_default()',
      'select outbox_make_day(7)',
      "select outbox_drop_oldest('1 hour')",
      'create table x ()',
    ])
      await expect(relay.query(statement), statement).rejects.toMatchObject(insufficientPrivilege);
  });

  test('the operator keeps house by one call, and has none of its parts', async () => {
    await operator.query('call outbox_keep_house()');
    expect((await operator.query('select from outbox_default_bound')).rowCount).toBe(0);
    for (const statement of [
      "select outbox_lock('access exclusive', 'outbox_default')",
      'select outbox_clear_default()',
      'insert into outbox_seal values (null)',
    ])
      await expect(operator.query(statement), statement).rejects.toMatchObject(
        insufficientPrivilege,
      );
  });

  test('the operator locks entities, emits events and notes what was done, and changes neither', async () => {
    await operator.query('select from product for update');
    await operator.query(`insert into outbox (${columns}) values (${values})`);
    await operator.query(
      "insert into operation (id, verb, actor) values (gen_random_uuid(), 'backfill', 'somebody')",
    );
    await operator.query("update operation set outcome = 'done', ended_at = now()");
    const { rows } = await operator.query<{ sees: boolean }>(
      "select pg_has_role('pg_read_all_stats', 'usage') as sees",
    );
    expect(rows).toEqual([{ sees: true }]);
    for (const statement of [
      "update product set name = 'x'",
      'delete from product',
      'insert into category (id) values (null)',
      'select from idempotency_key',
      'delete from operation',
      "update operation set actor = 'somebody else'",
      'create table x ()',
    ])
      await expect(operator.query(statement), statement).rejects.toMatchObject(
        insufficientPrivilege,
      );
  });

  test('the api reads the history of one entity by a function, and no event otherwise; the relay does not', async () => {
    const call = `select * from entity_versions('catalog.product', 'catalog.product-change', gen_random_uuid(), null, 10, 1000)`;
    expect((await api.query(call)).rowCount).toBe(0);
    await api.query('select outbox_kept_since()');
    for (const statement of [call, 'select outbox_kept_since()'])
      await expect(relay.query(statement), statement).rejects.toMatchObject(insufficientPrivilege);
    await expect(api.query('select from outbox_partition')).rejects.toMatchObject(
      insufficientPrivilege,
    );
  });

  test('the operator erases one entity at a time by functions, which nobody else may call', async () => {
    const calls = [
      "select product_erase('00000000-0000-7000-8000-000000000000')",
      "select category_erase('00000000-0000-7000-8000-000000000000')",
      "select idempotency_forget('00000000-0000-7000-8000-000000000000')",
      'select erasure_analyze()',
      "select outbox_forget('catalog.product', 'p', 2, '0/1')",
    ];
    for (const call of calls) {
      for (const client of [api, relay])
        await expect(client.query(call), call).rejects.toMatchObject(insufficientPrivilege);
      await operator.query(call);
    }
    // Without the function's own rights the setting that it works by is worth nothing.
    await operator.query("set outbound.forgets = 'catalog.product p'");
    await expect(operator.query('delete from outbox')).rejects.toMatchObject(insufficientPrivilege);
    await operator.query('reset outbound.forgets');
  });

  test('the operator holds the outbox until its transaction ends, and nobody adds to it meanwhile', async () => {
    await operator.query('begin; select outbox_hold()');
    await api.query("set lock_timeout = '50ms'");
    await expect(
      api.query(`insert into outbox (${columns}) values (${values})`),
    ).rejects.toMatchObject({ code: '55P03' });
    await operator.query(`insert into outbox (${columns}) values (${values}); commit`);
    await api.query(`insert into outbox (${columns}) values (${values}); reset lock_timeout`);
  });

  test('the relay may create a slot', async () => {
    await relay.query("select pg_create_logical_replication_slot('mine', 'pgoutput', true)");
    await relay.query("select pg_drop_replication_slot('mine')");
  });

  test('nobody changes what was written, the owner neither', async () => {
    await admin.query(`insert into outbox (${columns}) values (${values})`);
    for (const statement of [
      "update outbox set type = 'x'",
      'delete from outbox',
      'truncate outbox',
    ])
      await expect(admin.query(statement), statement).rejects.toMatchObject({ code: '23001' });
  });

  test('the table refuses an event that could not be published', async () => {
    const insert = (row: Record<string, unknown>) => {
      const full = {
        id: '018f4e2a-7b1c-7000-8000-000000000001',
        aggregatetype: 't',
        aggregateid: 'a',
      };
      const all = {
        ...full,
        type: 'e',
        version: 1,
        data_op: 'C',
        payload: '{}',
        headers: '{}',
        ...row,
      };
      const names = Object.keys(all);
      return admin.query(
        `insert into outbox (${names.join(', ')}) values (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
        Object.values(all),
      );
    };
    const text = (bytes: number) => JSON.stringify({ t: 'x'.repeat(bytes - 8) });
    await insert({ payload: text(921_600), aggregateid: 'x'.repeat(255) });
    for (const row of [
      { payload: text(921_601) },
      { payload: '1' },
      { payload: 'null' },
      { headers: '[]' },
      { headers: JSON.stringify({ h: 'x'.repeat(8_192) }) },
      { aggregatetype: '' },
      { aggregateid: '' },
      { aggregateid: 'x'.repeat(256) },
      { type: '' },
      { version: 0 },
      { data_op: 'X' },
    ])
      await expect(insert(row), JSON.stringify(row).slice(0, 60)).rejects.toMatchObject({
        code: '23514',
      });
    await expect(insert({ payload: '{' })).rejects.toMatchObject({ code: '22P02' });
  });
});
