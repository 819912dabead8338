import { EventEmitter, once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietLogger, systemClock, type Clock } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { migrateDatabase } from './migrations/migrate-database.ts';
import { neededMigration } from './readiness.ts';
import { startService, type CatalogService } from './service.ts';
import { startCatalog, testConfig, type TestCatalog } from './test-support/catalog-service.ts';
import { send } from './test-support/http-client.ts';

/* What readyz says of the database, and of a service that stops. */

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

interface Readiness {
  readonly status: number;
  readonly detail: string | undefined;
}
async function readiness({ adminPort }: CatalogService, check = 'database'): Promise<Readiness> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  const body = (await response.json()) as { checks: Record<string, { detail?: string }> };
  return { status: response.status, detail: body.checks[check]?.detail };
}
/** What it says once it says this: the first question opens the connection, which may take longer than one answer may. */
const becomes = (service: CatalogService, status: number, detail = /^/) =>
  eventually(async () => {
    const now = await readiness(service);
    return now.status === status && detail.test(now.detail ?? '');
  });
/** A service over another database of the server. */
async function over(database: string): Promise<CatalogService> {
  const url = Object.assign(new URL(catalog.apiUrl), { pathname: `/${database}` });
  return catalog.startAnother({ databaseUrl: url.href });
}
/** A directory with the migrations up to and with the last one that `isWanted`. */
function migrationsUpTo(isWanted: (name: string) => boolean): string {
  const directory = mkdtempSync(join(tmpdir(), 'outbound-migrations-'));
  for (const name of readdirSync('migrations').filter(isWanted))
    cpSync(join('migrations', name), join(directory, name));
  return directory;
}

describe('readyz', () => {
  it('is red before the database is migrated, and green behind it', async () => {
    const databaseUrl = await catalog.postgres.createDatabase('empty');
    const service = await over('empty');
    await becomes(service, 503, /not migrated: run migrate/);
    await migrateDatabase({ databaseUrl, directory: 'migrations' });
    await becomes(service, 200);
  });

  it('is red while the schema is older than the code, and at the one that the code names everything works', async () => {
    const databaseUrl = await catalog.postgres.createDatabase('older');
    const before = migrationsUpTo((name) => name < neededMigration);
    const needed = migrationsUpTo((name) => name <= neededMigration);
    try {
      await migrateDatabase({ databaseUrl, directory: before });
      const service = await over('older');
      await becomes(service, 503, /run migrate$/);
      await migrateDatabase({ databaseUrl, directory: needed });
      await becomes(service, 200);
      const base = `http://127.0.0.1:${service.port}`;
      const headers = { 'idempotency-key': 'k' };
      const options = { body: '{"code":"shoes","name":"N"}', headers };
      const created = await send(base, 'POST', '/categories', options);
      expect(created.status).toBe(201);
      const path = `/categories/${String(created.json['id'])}`;
      const match = { 'if-match': '"1"', 'idempotency-key': 'd' };
      expect((await send(base, 'DELETE', path, { headers: match })).status).toBe(204);
    } finally {
      for (const directory of [before, needed]) rmSync(directory, { recursive: true });
    }
  });

  it('is red without a grant, and names it', async () => {
    const service = await catalog.startAnother();
    await becomes(service, 200);
    await catalog.admin.query('revoke update on category from outbound_api');
    await becomes(service, 503, /outbound_api lacks UPDATE on category/);
    await catalog.admin.query('grant update on category to outbound_api');
    await becomes(service, 200);
  });

  it('is red where nothing can be written, and green again', async () => {
    const service = await catalog.startAnother();
    await becomes(service, 200);
    const alterSystem = async (change: string) => {
      await catalog.admin.query(`alter system ${change}`);
      await catalog.admin.query('select pg_reload_conf()');
    };
    await alterSystem('set default_transaction_read_only = on');
    await becomes(service, 503, /read-only/);
    await alterSystem('reset default_transaction_read_only');
    await becomes(service, 200);
  });

  it('stays green while every connection of the pool waits for one row', async () => {
    const service = await catalog.startAnother({ poolSize: '2', statementTimeoutMs: '60000' });
    await becomes(service, 200);
    const base = `http://127.0.0.1:${service.port}`;
    const created = await send(base, 'POST', '/products', { body: '{"sku":"HOT","name":"N"}' });
    const path = `/products/${String(created.json['id'])}`;
    const blocker = new pg.Client({ connectionString: catalog.adminUrl });
    await blocker.connect();
    await blocker.query('begin; select from product for update');
    const patches = ['A', 'B', 'C', 'D'].map((name) =>
      send(base, 'PATCH', path, {
        body: `{"name":"${name}"}`,
        headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' },
      }),
    );
    await eventually(async () => {
      const metrics = await fetch(`http://127.0.0.1:${service.adminPort}/metrics`);
      return /^catalog_db_pool_waiting_requests 2$/m.test(await metrics.text());
    });
    expect(await readiness(service)).toEqual({ status: 200, detail: undefined });
    await blocker.end();
    const statuses = (await Promise.all(patches)).map(({ status }) => status);
    // Two more than fit may have waited for too long.
    expect(statuses).toContain(200);
  });

  it('asks by one connection, however often it is asked', async () => {
    const service = await catalog.startAnother();
    await becomes(service, 200);
    const connections = async () => {
      const { rows } = await catalog.admin.query<{ pid: number }>(
        "select pid from pg_stat_activity where application_name = 'catalog-api-readiness' order by pid",
      );
      return rows.map(({ pid }) => pid);
    };
    const before = await connections();
    await Promise.all(Array.from({ length: 20 }, () => readiness(service)));
    expect(await connections()).toEqual(before);
  });
});

describe('a service that is asked to stop', () => {
  it('is red first and still answers, each time with the end of the connection; then it is gone', async () => {
    const grace = new EventEmitter();
    const clock: Clock = {
      ...systemClock,
      sleep: async (ms) => {
        grace.emit('begins', ms);
        await once(grace, 'ends');
      },
    };
    const config = testConfig(catalog.apiUrl, { stopGraceMs: '4000' });
    const service = await startService(config, quietLogger(), 'test', clock);
    await becomes(service, 200);
    const begins = once(grace, 'begins');
    const closed = service.close();
    expect(await begins).toEqual([4_000]);
    expect(await readiness(service, 'service')).toEqual({ status: 503, detail: 'stopping' });
    const base = `http://127.0.0.1:${service.port}`;
    const reply = await send(base, 'POST', '/products', { body: '{"sku":"LATE","name":"N"}' });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('connection')).toBe('close');
    grace.emit('ends');
    await closed;
    await expect(send(base, 'GET', '/products')).rejects.toThrow();
  });
});
