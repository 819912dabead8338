import { EventEmitter, once } from 'node:events';
import { connect, Socket } from 'node:net';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietLogger, systemClock, type Clock } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { migrateDatabase } from './migrations/migrate-database.ts';
import { neededMigration } from './readiness.ts';
import { longestStopMs, startService, type CatalogService } from './service.ts';
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

  it('is green once every connection of the pool is open, so that nobody who comes then waits for one', async () => {
    const service = await catalog.startAnother({ poolSize: '7' });
    await becomes(service, 200);
    const metrics = await (await fetch(`http://127.0.0.1:${service.adminPort}/metrics`)).text();
    expect(metrics).toMatch(/^catalog_db_pool_connections 7$/m);
    expect(metrics).toMatch(/^catalog_db_pool_idle_connections 7$/m);
  });

  it('is green with every connection open where some were open before it was asked', async () => {
    const service = await catalog.startAnother({ poolSize: '7' });
    const base = `http://127.0.0.1:${service.port}`;
    await Promise.all([1, 2, 3].map(() => send(base, 'GET', '/products')));
    await becomes(service, 200);
    const metrics = await (await fetch(`http://127.0.0.1:${service.adminPort}/metrics`)).text();
    expect(metrics).toMatch(/^catalog_db_pool_connections 7$/m);
  });

  it('has the pool opened again where the server has ended its connections', async () => {
    const service = await catalog.startAnother({ poolSize: '7' });
    const connections = async (): Promise<number> => {
      const metrics = await fetch(`http://127.0.0.1:${service.adminPort}/metrics`);
      return Number(/^catalog_db_pool_connections (\d+)$/m.exec(await metrics.text())?.[1]);
    };
    await becomes(service, 200);
    await catalog.admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'catalog-api'",
    );
    await eventually(async () => (await connections()) < 7);
    await eventually(async () => {
      expect((await readiness(service)).status).toBe(200);
      return (await connections()) === 7;
    });
  });

  it('stands on connections that are probed before anything on the way forgets them', async () => {
    const probed = vi.spyOn(Socket.prototype, 'setKeepAlive');
    try {
      const service = await catalog.startAnother({ poolSize: '3' });
      await becomes(service, 200);
      const port = Number(new URL(catalog.apiUrl).port);
      const delays = (probed.mock.contexts as Socket[]).flatMap(({ remotePort }, call) =>
        remotePort === port ? [probed.mock.calls[call]] : [],
      );
      // The pool's and the one of readiness.
      expect(delays.length).toBeGreaterThanOrEqual(4);
      expect(delays).toEqual(delays.map(() => [true, 10_000]));
    } finally {
      probed.mockRestore();
    }
  });

  it('is green through a moment in which the server says nothing, and red when that lasts', async () => {
    const service = await catalog.startAnother();
    await becomes(service, 200);
    await catalog.postgres.pause();
    try {
      const late = await readiness(service);
      expect(late).toEqual({
        status: 200,
        detail: expect.stringMatching(/late; \d+ ms ago all was well/) as string,
      });
      await becomes(service, 503, /unknown/);
    } finally {
      await catalog.postgres.resume();
    }
    await becomes(service, 200);
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

/** A service whose grace on a stop begins and ends when the test says so. */
async function startStoppable(overrides: Readonly<Record<string, string>> = {}) {
  const grace = new EventEmitter();
  const clock: Clock = {
    ...systemClock,
    sleep: async (ms) => {
      grace.emit('begins', ms);
      await once(grace, 'ends');
    },
  };
  const config = testConfig(catalog.apiUrl, { stopGraceMs: '4000', ...overrides });
  const service = await startService(config, quietLogger(), 'test', clock);
  const base = `http://127.0.0.1:${service.port}`;
  const stop = async () => {
    const begins = once(grace, 'begins');
    const closed = service.close();
    expect(await begins).toEqual([4_000]);
    return closed;
  };
  return { service, base, stop, endGrace: () => void grace.emit('ends') };
}

/** A connection by hand, and all that came on it. */
function opened(port: number) {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { socket, text: () => text, closed: once(socket, 'close') };
}

const creation = (sku: string) => {
  const body = `{"sku":"${sku}","name":"N"}`;
  return `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};
const isThere = async (sku: string) => {
  const { rows } = await catalog.admin.query('select from product where sku = $1', [sku]);
  return rows.length === 1;
};

describe('a service that is asked to stop', () => {
  it('is red first and still answers, each time with the end of the connection; then it is gone', async () => {
    const { service, base, stop, endGrace } = await startStoppable();
    await becomes(service, 200);
    const closed = stop();
    await becomes(service, 503);
    expect(await readiness(service, 'service')).toEqual({ status: 503, detail: 'stopping' });
    const reply = await send(base, 'POST', '/products', { body: '{"sku":"LATE","name":"N"}' });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('connection')).toBe('close');
    endGrace();
    await closed;
    await expect(send(base, 'GET', '/products')).rejects.toThrow();
  });

  it('ends the connection behind a refusal that no route gave, too', async () => {
    const { service, stop, endGrace } = await startStoppable();
    const { socket, text, closed: cut } = opened(service.port);
    const closed = stop();
    try {
      socket.write('GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => Promise.resolve(text().includes('\r\n\r\n')));
      expect(text()).toMatch(/^HTTP\/1\.1 400 [\s\S]*connection: close/i);
      await cut;
    } finally {
      endGrace();
      await closed;
    }
  });

  it('does nothing of what was sent ahead behind the answer that ends its connection (RFC 9112 9.6)', async () => {
    const { service, stop, endGrace } = await startStoppable();
    const { socket, text, closed: cut } = opened(service.port);
    const closed = stop();
    socket.write(creation('AHEAD-1') + creation('AHEAD-2'));
    await cut;
    expect(text().match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 201']);
    endGrace();
    await closed;
    expect([await isThere('AHEAD-1'), await isThere('AHEAD-2')]).toEqual([true, false]);
  });

  it('does what has half arrived when the grace is over, and refuses it not', async () => {
    const { service, base, stop, endGrace } = await startStoppable();
    const { socket, text, closed: cut } = opened(service.port);
    const [head = '', body = ''] = creation('HALF').split(/(?=Content-Type)/);
    socket.write(head);
    await once(socket, 'connect');
    const closed = stop();
    // The connection is known to the server once another one, which came later, is answered.
    expect((await send(base, 'GET', '/event-types')).status).toBe(200);
    endGrace();
    await eventually(() =>
      send(base, 'GET', '/event-types').then(
        () => false,
        () => true,
      ),
    );
    socket.write(body);
    await cut;
    await closed;
    expect(text()).toMatch(/^HTTP\/1\.1 201 [\s\S]*connection: close/i);
    expect(await isThere('HALF')).toBe(true);
  });

  it('is gone in its time where a change waits for a row that somebody has locked', async () => {
    const { base, stop, endGrace } = await startStoppable({ statementTimeoutMs: '30000' });
    const made = await send(base, 'POST', '/products', { body: '{"sku":"LOCKED","name":"N"}' });
    const blocker = new pg.Client({ connectionString: catalog.adminUrl });
    await blocker.connect();
    await blocker.query("begin; select from product where sku = 'LOCKED' for update");
    try {
      const patch = send(base, 'PATCH', `/products/${String(made.json['id'])}`, {
        body: '{"name":"M"}',
        headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' },
      }).catch((error: unknown) => error);
      await eventually(async () => {
        const { rows } = await catalog.admin.query(
          "select from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'catalog-api'",
        );
        return rows.length > 0;
      });
      const closed = stop();
      const beganMs = performance.now();
      endGrace();
      await closed;
      expect(performance.now() - beganMs).toBeLessThan(longestStopMs({ stopGraceMs: 0 }));
      expect(await patch).toBeInstanceOf(Error);
    } finally {
      await blocker.end();
    }
  });
});
