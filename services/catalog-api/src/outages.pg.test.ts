import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import type { CatalogService } from './service.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send, type Reply } from './test-support/http-client.ts';

/* What callers are told while the database is slow, full, gone or back. */

let catalog: TestCatalog;
/** Two connections, a queue of one, half a second for a statement. */
let small: CatalogService;
const extra: pg.Client[] = [];

beforeAll(async () => {
  catalog = await startCatalog();
  small = await catalog.startAnother({
    poolSize: '2',
    poolQueueSize: '1',
    statementTimeoutMs: '1000',
    connectionTimeoutMs: '3000',
  });
});
afterAll(() => catalog.close());
afterEach(async () => {
  for (const client of extra.splice(0)) await client.end().catch(() => undefined);
});

const baseOf = ({ port }: CatalogService) => `http://127.0.0.1:${port}`;
const create = (sku: string, headers: Record<string, string> = {}, base = baseOf(small)) =>
  send(base, 'POST', '/products', { body: `{"sku":"${sku}","name":"N"}`, headers });
const client = async (): Promise<pg.Client> => {
  const each = new pg.Client({ connectionString: catalog.apiUrl });
  each.on('error', () => undefined);
  await each.connect();
  extra.push(each);
  return each;
};
const count = async (sku: string) => {
  const { rows } = await catalog.admin.query<{ rows: number; events: number }>(
    `select (select count(*)::int from product where sku = $1) as rows,
      (select count(*)::int from outbox where payload::json->'data'->>'sku' = $1) as events`,
    [sku],
  );
  return rows[0];
};
/** Backends of the API that wait for a lock of this kind, once there are so many. */
const waiting = (lock: 'transactionid' | 'advisory', many = 1) =>
  eventually(
    async () => {
      const { rows } = await catalog.admin.query<{ pid: number }>(
        `select pid from pg_stat_activity
         where application_name = 'catalog-api' and wait_event_type = 'Lock' and wait_event = $1`,
        [lock],
      );
      return rows.length === many && rows;
    },
    { timeoutMs: 900, intervalMs: 5 },
  );
const works = async (sku: string) =>
  eventually(async () => (await create(sku)).status === 201, {
    timeoutMs: 20_000,
    intervalMs: 100,
  });
function expectRetryLater(reply: Reply, type: string): void {
  expectProblem(reply, 503, type);
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
}

describe('a full pool', () => {
  it('refuses at once what its queue does not hold, and serves the others', async () => {
    const blocker = await client();
    await blocker.query('begin');
    await blocker.query(
      "insert into category (id, code, name, version) values (gen_random_uuid(), 'hold', 'H', 1)",
    );
    const create = () =>
      send(baseOf(small), 'POST', '/categories', { body: '{"code":"hold","name":"N"}' });
    // Two wait for the blocker's unique key inside the database, the third waits in the queue.
    const held = [create(), create()];
    await waiting('transactionid', 2);
    const refused: Reply[] = [];
    const reads = Array.from({ length: 3 }, async () => {
      const reply = await send(baseOf(small), 'GET', '/products');
      if (reply.status === 503) refused.push(reply);
      return reply.status;
    });
    // While nothing moves: these two did not wait for anything.
    await eventually(() => refused.length === 2, { timeoutMs: 900, intervalMs: 5 });
    for (const reply of refused) expectRetryLater(reply, 'overloaded');
    await blocker.query('rollback');
    expect((await Promise.all(reads)).sort()).toEqual([200, 503, 503]);
    const statuses = (await Promise.all(held)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([201, 409]);
  });
});

describe('a lock that is not given', () => {
  it('is 503 after the timeout of the connection, and nothing is written', async () => {
    const blocker = await client();
    await blocker.query('begin');
    await blocker.query(
      "insert into product (id, sku, name, status, version) values (gen_random_uuid(), 'LOCKED', 'L', 'DRAFT', 1)",
    );
    expectRetryLater(await create('LOCKED'), 'unavailable');
    await blocker.query('rollback');
    expect(await count('LOCKED')).toEqual({ rows: 0, events: 0 });
  });
});

describe('a connection that breaks', () => {
  it('before COMMIT is 503 unavailable, and nothing is written', async () => {
    const { json } = await create('BROKEN-CHANGE');
    const blocker = await client();
    await blocker.query('begin');
    await blocker.query('select from product where id = $1 for update', [json['id']]);
    // With a key it is a transaction of several statements.
    const reply = send(baseOf(small), 'PATCH', `/products/${String(json['id'])}`, {
      body: '{"name":"M"}',
      headers: {
        'content-type': 'application/merge-patch+json',
        'if-match': '"1"',
        'idempotency-key': 'broken-change',
      },
    });
    const [backend] = await waiting('transactionid');
    await catalog.admin.query('select pg_terminate_backend($1)', [backend?.pid]);
    expectRetryLater(await reply, 'unavailable');
    await blocker.query('rollback');
    expect(await count('BROKEN-CHANGE')).toEqual({ rows: 1, events: 1 });
  });

  it('under a change that is one statement is 503 outcome-unknown: the statement would have committed by itself', async () => {
    const blocker = await client();
    await blocker.query('begin');
    await blocker.query(
      "insert into product (id, sku, name, status, version) values (gen_random_uuid(), 'BROKEN', 'B', 'DRAFT', 1)",
    );
    const headers = { 'idempotency-key': 'broken' };
    const reply = create('BROKEN', headers);
    const [backend] = await waiting('transactionid');
    await catalog.admin.query('select pg_terminate_backend($1)', [backend?.pid]);
    expectRetryLater(await reply, 'outcome-unknown');
    await blocker.query('rollback');
    expect(await count('BROKEN')).toEqual({ rows: 0, events: 0 });
    const [second, third] = [await create('BROKEN', headers), await create('BROKEN', headers)];
    expect([second.status, third.status]).toEqual([201, 201]);
    expect(third.text).toBe(second.text);
    expect(await count('BROKEN')).toEqual({ rows: 1, events: 1 });
  });

  it('during COMMIT is 503 outcome-unknown, and a repetition with the key tells the outcome', async () => {
    // COMMIT waits in a deferred trigger for a lock that the test holds.
    await catalog.admin.query(`
      create function wait_at_commit() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(4711); return null; end $$;
      create constraint trigger wait_at_commit after insert on product deferrable initially deferred
        for each row execute function wait_at_commit();
      select pg_advisory_lock(4711)`);
    const headers = { 'idempotency-key': 'unknown' };
    const reply = create('UNKNOWN', headers);
    const [backend] = await waiting('advisory');
    await catalog.admin.query('select pg_terminate_backend($1)', [backend?.pid]);
    expectRetryLater(await reply, 'outcome-unknown');
    await catalog.admin.query(`
      select pg_advisory_unlock(4711); drop trigger wait_at_commit on product; drop function wait_at_commit`);
    expect((await create('UNKNOWN', headers)).status).toBe(201);
    expect((await create('UNKNOWN', headers)).status).toBe(201);
    expect(await count('UNKNOWN')).toEqual({ rows: 1, events: 1 });
  });

  it('during COMMIT of a change is outcome-unknown too, and the repetition with the key settles it', async () => {
    const { json } = await create('UNKNOWN-CHANGE');
    const path = `/products/${String(json['id'])}`;
    const patch = () =>
      send(catalog.url, 'PATCH', path, {
        body: '{"name":"M"}',
        headers: {
          'content-type': 'application/merge-patch+json',
          'if-match': '"1"',
          'idempotency-key': 'unknown-change',
        },
      });
    await catalog.admin.query(`
      create function wait_at_commit() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(4711); return null; end $$;
      create constraint trigger wait_at_commit after update on product deferrable initially deferred
        for each row execute function wait_at_commit();
      select pg_advisory_lock(4711)`);
    const reply = patch();
    const [backend] = await waiting('advisory');
    await catalog.admin.query('select pg_terminate_backend($1)', [backend?.pid]);
    expectRetryLater(await reply, 'outcome-unknown');
    await catalog.admin.query(`
      select pg_advisory_unlock(4711); drop trigger wait_at_commit on product; drop function wait_at_commit`);
    const [second, third] = [await patch(), await patch()];
    expect([second.status, third.status]).toEqual([200, 200]);
    expect(third.text).toBe(second.text);
    const { rows } = await catalog.admin.query<{ ops: string }>(
      "select string_agg(data_op, '' order by version) as ops from outbox where aggregateid = $1",
      [json['id']],
    );
    expect(rows).toEqual([{ ops: 'CU' }]);
  });
});

describe('a database that is gone', () => {
  it('is 503 quickly and red in readyz, and all recovers by itself', async () => {
    const ready = async () => (await fetch(`http://127.0.0.1:${small.adminPort}/readyz`)).status;
    const becomesReady = () => eventually(async () => (await ready()) === 200);
    await becomesReady();
    await catalog.postgres.kill();
    const startedAt = Date.now();
    for (let n = 0; n < 5; n++) expectRetryLater(await create('GONE'), 'unavailable');
    expect(Date.now() - startedAt).toBeLessThan(5_000);
    expect(await ready()).toBe(503);
    expect((await fetch(`http://127.0.0.1:${small.adminPort}/livez`)).status).toBe(200);
    await catalog.postgres.start();
    await works('BACK');
    await becomesReady();
    await reconnectAdmin();
    expect(await count('GONE')).toEqual({ rows: 0, events: 0 });
  });

  it("that stands still and wakes up has no connection in a stranger's transaction", async () => {
    const impatient = await catalog.startAnother({
      poolSize: '2',
      statementTimeoutMs: '500',
      connectionTimeoutMs: '500',
    });
    const base = baseOf(impatient);
    await Promise.all([create('WARM-1', {}, base), create('WARM-2', {}, base)]);
    await catalog.postgres.pause();
    const replies = await Promise.all([
      create('FROZEN-1', {}, base),
      create('FROZEN-2', {}, base),
      create('FROZEN-3', {}, base),
    ]);
    await catalog.postgres.resume();
    // Two statements lie in the sockets of the two connections: whether they are carried out is the server's to say. The third found no connection.
    const types = replies.map(({ status, json }) => `${status} ${String(json['type'])}`);
    expect(types.sort()).toEqual([
      '503 /problems/outcome-unknown',
      '503 /problems/outcome-unknown',
      '503 /problems/unavailable',
    ]);
    // Without the guard of a checkout, drizzle would never have given the two connections back.
    await eventually(async () => (await create('THAWED', {}, base)).status !== 503, {
      timeoutMs: 20_000,
      intervalMs: 100,
    });
    expect(await count('THAWED')).toEqual({ rows: 1, events: 1 });
    for (const sku of ['FROZEN-1', 'FROZEN-2', 'FROZEN-3']) {
      // Row and event are there or neither is; of what is told as not written neither.
      const found = await count(sku);
      expect(found?.rows).toBe(found?.events);
      if (replies[Number(sku.slice(-1)) - 1]?.json['type'] === '/problems/unavailable')
        expect(found?.rows).toBe(0);
    }
  });
});

/** The test's own connection does not survive a killed server. */
async function reconnectAdmin(): Promise<void> {
  const again = new pg.Client({ connectionString: catalog.adminUrl });
  again.on('error', () => undefined);
  await again.connect();
  await catalog.admin.end().catch(() => undefined);
  Object.assign(catalog, { admin: again });
}
