import { quietLogger } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startService, type CatalogService } from './service.ts';
import { startCatalog, testConfig, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';
import { startPgBouncer, type PgBouncer } from './test-support/pgbouncer.ts';

/* The API behind PgBouncer, which gives a connection for a transaction and keeps none of a client's settings. */

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const timeouts = 'statement_timeout, lock_timeout, idle_in_transaction_session_timeout';

describe.each<[string, readonly string[]]>([
  ['as it comes, which refuses timeouts of a session', []],
  ['told to ignore timeouts of a session', [`ignore_startup_parameters = ${timeouts}`]],
])('PgBouncer %s', (_, settings) => {
  const suffix = settings.length;
  let pooler: PgBouncer;
  let service: CatalogService;
  beforeAll(async () => {
    pooler = await startPgBouncer(catalog.apiUrl, settings);
    const config = testConfig(pooler.url, { statementTimeoutMs: '500' });
    service = await startService(config, quietLogger(), 'test');
  });
  afterAll(async () => {
    await service?.close();
    await pooler?.[Symbol.asyncDispose]();
  });
  const call = (method: string, path: string, body?: string, headers = {}) =>
    send(`http://127.0.0.1:${service.port}`, method, path, {
      ...(body === undefined ? {} : { body }),
      headers: {
        ...(method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {}),
        ...headers,
      },
    });
  const create = (sku: string) =>
    call('POST', '/products', `{"sku":"${sku}-${suffix}","name":"N"}`);

  it('serves everything', async () => {
    const created = await create('POOLED');
    expect(created.status).toBe(201);
    const path = `/products/${String(created.json['id'])}`;
    expect((await call('GET', path)).text).toBe(created.text);
    expect((await call('GET', `/products?sku=POOLED-${suffix}`)).text).toContain(created.text);
    const changed = await call('PATCH', path, '{"name":"M"}', { 'if-match': '"1"' });
    expect(changed.status).toBe(200);
    const exported = await call('GET', '/products/export');
    expect(exported.text).toContain(`\n${changed.text}\n`);
    expect(exported.text).toContain('\n{"end":{');
    expect((await call('DELETE', path, undefined, { 'if-match': '"2"' })).status).toBe(204);
    // The first question opens a connection, which may take longer than one answer may.
    await eventually(
      async () => (await fetch(`http://127.0.0.1:${service.adminPort}/readyz`)).status === 200,
    );
  });

  it('lets twins with one Idempotency-Key make one product', async () => {
    const replies = await Promise.all(
      Array.from({ length: 4 }, () =>
        call('POST', '/products', `{"sku":"PT-${suffix}","name":"N"}`, {
          'idempotency-key': `pooled-twin-${suffix}`,
        }),
      ),
    );
    expect(replies.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
  });

  it('ends what waits for too long, reads and changes alike', async () => {
    const created = await create('HELD');
    const path = `/products/${String(created.json['id'])}`;
    const blocker = new pg.Client({ connectionString: catalog.adminUrl });
    await blocker.connect();
    await blocker.query('begin; lock table product in access exclusive mode');
    try {
      // Without a timeout each would wait for as long as the test does.
      expectProblem(await call('GET', path), 503, 'unavailable');
      expectProblem(await call('GET', '/products'), 503, 'unavailable');
      const headers = { 'if-match': '"1"' };
      expectProblem(await call('PATCH', path, '{"name":"M"}', headers), 503, 'unavailable');
      // The server ended them: what only we had given up would still wait there, and more with each request. The search waits by itself.
      const { rows } = await catalog.admin.query(
        "select query from pg_stat_activity where usename = 'outbound_api' and wait_event_type = 'Lock' and query !~ 'product_search'",
      );
      expect(rows).toEqual([]);
    } finally {
      await blocker.end();
    }
    expect((await call('GET', path)).text).toBe(created.text);
  });

  it('has no setting of ours on the connection that another client gets next', async () => {
    await create('CLEAN');
    await call('GET', '/products');
    const stranger = new pg.Client({ connectionString: pooler.url });
    await stranger.connect();
    const { rows } = await stranger.query(
      `select name, setting from pg_settings where source in ('session', 'client') and name ~ 'timeout|isolation'`,
    );
    expect(rows).toEqual([]);
    await stranger.end();
  });
});
