import { connect } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { ServiceProcess } from '../../../test/support/service-process.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { parseRaw, send } from './test-support/http-client.ts';

/* The service as its own process: how it starts, stops, and dies. */

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const launch = (env: Record<string, string> = {}) =>
  new ServiceProcess(
    main,
    {
      CATALOG_API_DATABASE_URL: catalog.apiUrl,
      CATALOG_API_PORT: '0',
      CATALOG_API_ADMIN_PORT: '0',
      CATALOG_API_STOP_GRACE_MS: '0',
      CATALOG_API_AUTH: 'off',
      ...env,
    },
    ['--import', 'tsx'],
  );
const urlOf = async (service: ServiceProcess) =>
  `http://127.0.0.1:${String((await service.log('listening'))['port'])}`;
/** Resolves when a backend of the service waits for a lock of this kind. */
const waitsFor = (lock: 'relation' | 'advisory') =>
  eventually(
    async () => {
      const { rows } = await catalog.admin.query<{ pid: number }>(
        `select pid from pg_stat_activity
         where application_name = 'catalog-api' and wait_event_type = 'Lock' and wait_event = $1`,
        [lock],
      );
      return rows[0]?.pid;
    },
    { timeoutMs: 5_000, intervalMs: 5 },
  );
const count = async (sku: string) => {
  const { rows } = await catalog.admin.query<{ rows: number; events: number }>(
    `select (select count(*)::int from product where sku = $1) as rows,
      (select count(*)::int from outbox where payload::json->'data'->>'sku' = $1) as events`,
    [sku],
  );
  return rows[0];
};
/** COMMIT of a product waits while the test holds this. */
const holdCommits = () =>
  catalog.admin.query(`
    create function wait_at_commit() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock_shared(4711); return null; end $$;
    create constraint trigger wait_at_commit after insert on product deferrable initially deferred
      for each row execute function wait_at_commit();
    select pg_advisory_lock(4711)`);
const releaseCommits = async () => {
  await catalog.admin.query('select pg_advisory_unlock(4711)');
  await catalog.admin.query('drop trigger wait_at_commit on product; drop function wait_at_commit');
};

describe('starting', () => {
  it('names every wrong setting without its secret and exits 2', async () => {
    const service = launch({
      CATALOG_API_DATABASE_URL: 'mysql://u:hush-hush@h/d',
      CATALOG_API_PORT: '70000',
      CATALOG_API_PROT: '1',
    });
    expect(await service.ended()).toMatchObject({ code: 2 });
    const text = service.stderr.join('\n');
    for (const name of ['CATALOG_API_DATABASE_URL', 'CATALOG_API_PORT', 'CATALOG_API_PROT'])
      expect(text).toContain(name);
    expect(text).not.toContain('hush-hush');
  });

  it.each(['CATALOG_API_PORT', 'CATALOG_API_ADMIN_PORT'])(
    'exits 2 with one sentence and no stack when %s is taken',
    async (setting) => {
      const { port } = new URL(catalog.apiUrl);
      await using service = launch({ [setting]: port });
      expect((await service.ended()).code).toBe(2);
      const line = service.logs.find(({ level }) => level === 'fatal');
      expect(JSON.stringify(line)).toContain(`127.0.0.1:${port}: somebody else has this port`);
      expect(JSON.stringify(line)).toContain(setting);
      expect(line).not.toHaveProperty('error');
    },
  );

  it('starts without a database and says so in readyz', async () => {
    await using service = launch({
      CATALOG_API_DATABASE_URL: 'postgres://u:hush-hush@127.0.0.1:1/d',
    });
    const url = await urlOf(service);
    expect((await send(url, 'GET', '/products')).status).toBe(503);
    const { adminPort } = await service.log('listening');
    expect((await fetch(`http://127.0.0.1:${String(adminPort)}/readyz`)).status).toBe(503);
    expect(service.tail()).not.toContain('hush-hush');
  });
});

describe('starting without authentication', () => {
  it('is refused where others could come, with the remedy and exit code 2', async () => {
    const service = launch({ CATALOG_API_HOST: '0.0.0.0' });
    expect(await service.ended()).toMatchObject({ code: 2 });
    expect(service.stderr.join('\n')).toMatch(
      /CATALOG_API_AUTH: "off" is wrong: nobody would be asked who they are on 0\.0\.0\.0.*CATALOG_API_HOST=127\.0\.0\.1/,
    );
  });
});

describe('SIGTERM', () => {
  it('finishes the request under way, refuses later ones, and exits 0', async () => {
    await using service = launch();
    const url = await urlOf(service);
    const port = Number(new URL(url).port);
    await holdCommits();
    const socket = connect(port, '127.0.0.1');
    let answers = '';
    socket.on('data', (chunk: Buffer) => (answers += chunk.toString()));
    const closed = once(socket, 'close');
    const post = (sku: string) => {
      const body = `{"sku":"${sku}","name":"N"}`;
      socket.write(
        `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    };
    post('LAST');
    await waitsFor('advisory');
    const ended = service.terminate();
    await service.log('asked to stop');
    await eventually(
      () =>
        send(url, 'GET', '/event-types').then(
          () => false,
          () => true,
        ),
      { timeoutMs: 5_000 },
    );
    // On the connection that is still open.
    post('TOO-LATE');
    await releaseCommits();
    await closed;
    expect(parseRaw(answers).status).toBe(201);
    const exit = await ended;
    expect(exit.code).toBe(0);
    expect(exit.durationMs).toBeLessThan(10_000);
    expect(await count('LAST')).toEqual({ rows: 1, events: 1 });
    expect(await count('TOO-LATE')).toEqual({ rows: 0, events: 0 });
  });
});

describe('SIGTERM with a caller who does not read', () => {
  it('waits no longer than it may, and exits 0', async () => {
    await using service = launch();
    const socket = connect(Number(new URL(await urlOf(service)).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    // More than the buffers between us hold; nothing of it is read but what the kernel takes.
    const request = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n';
    socket.write(request.repeat(20));
    await once(socket, 'readable');
    const exit = await service.terminate();
    expect(exit.code).toBe(0);
    expect(exit.durationMs).toBeLessThan(10_000);
    socket.destroy();
  });
});

describe('SIGKILL', () => {
  it('before COMMIT leaves nothing; the repetition with the key makes one product and one event', async () => {
    await using service = launch();
    const url = await urlOf(service);
    const headers = { 'idempotency-key': 'killed-before' };
    const options = { body: '{"sku":"KILLED-1","name":"N"}', headers };
    // By a connection of its own: within a transaction pg_stat_activity is read once and never again.
    const blocker = new pg.Client({ connectionString: catalog.adminUrl });
    await blocker.connect();
    await blocker.query('begin; lock table outbox in share mode');
    const lost = send(url, 'POST', '/products', options).catch(() => 'lost');
    await waitsFor('relation');
    await service.kill();
    await blocker.end();
    expect(await lost).toBe('lost');
    const replies = [
      await send(catalog.url, 'POST', '/products', options),
      await send(catalog.url, 'POST', '/products', options),
    ];
    expect(replies.map(({ status }) => status)).toEqual([201, 201]);
    expect(replies[1]?.text).toBe(replies[0]?.text);
    expect(await count('KILLED-1')).toEqual({ rows: 1, events: 1 });
  });

  it('after COMMIT was sent loses the answer; the repetition with the key gets it', async () => {
    await using service = launch();
    const url = await urlOf(service);
    const headers = { 'idempotency-key': 'killed-after' };
    const options = { body: '{"sku":"KILLED-2","name":"N"}', headers };
    await holdCommits();
    const lost = send(url, 'POST', '/products', options).catch(() => 'lost');
    await waitsFor('advisory');
    await service.kill();
    expect(await lost).toBe('lost');
    await releaseCommits();
    await eventually(async () => (await count('KILLED-2'))?.rows === 1);
    const reply = await send(catalog.url, 'POST', '/products', options);
    expect(reply.status).toBe(201);
    expect(await count('KILLED-2')).toEqual({ rows: 1, events: 1 });
  });
});
