import { stat } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { startAdminServer, type AdminServer, type ReadinessCheck } from './admin-server.ts';
import { createMetricsRegistry } from './metrics.ts';

let server: AdminServer | undefined;
afterEach(() => server?.close());

async function start(checks: Record<string, ReadinessCheck>) {
  const registry = createMetricsRegistry({ prefix: 'relay_', version: '1.2.3' });
  server = await startAdminServer({
    host: '127.0.0.1',
    port: 0,
    checks,
    registry,
    checkTimeoutMs: 50,
  });
  const base = `http://127.0.0.1:${server.port}`;
  return (path: string, init?: RequestInit) => fetch(base + path, init);
}

test('liveness touches no check', async () => {
  let asked = 0;
  const get = await start({ kafka: () => ({ ok: ++asked > 0 }) });
  expect((await get('/livez')).status).toBe(200);
  expect(asked).toBe(0);
});

test('readiness lists every check, and one that is not ok makes it 503', async () => {
  const get = await start({
    slot: () => ({ ok: true, detail: 'standby', sinceMs: 7 }),
    kafka: () => Promise.resolve({ ok: false, detail: 'no broker answers' }),
  });
  const response = await get('/readyz');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({
    status: 'not ready',
    checks: {
      slot: { ok: true, detail: 'standby', sinceMs: 7 },
      kafka: { ok: false, detail: 'no broker answers' },
    },
  });
});

test('a check that throws or does not answer is unknown, and so not ready', async () => {
  const get = await start({
    throws: () => {
      throw Object.assign(new Error('postgres://a:hunter2@db'), { code: 'ECONNREFUSED' });
    },
    hangs: () => new Promise(() => undefined),
  });
  const response = await get('/readyz');
  const text = await response.text();
  expect(response.status).toBe(503);
  expect(JSON.parse(text)).toMatchObject({
    checks: {
      throws: { ok: false, detail: 'unknown: the check failed (ECONNREFUSED)' },
      hangs: { ok: false, detail: 'unknown: no answer within 50 ms' },
    },
  });
  expect(text).not.toContain('hunter2');
});

test('an answer that has come while the process was busy is no silence', async () => {
  const get = await start({
    database: () =>
      new Promise((resolve) => {
        setImmediate(() => {
          // Its answer is there at once; who would take it is held up for longer than the check may take.
          stat('.', () => resolve({ ok: true }));
          const untilMs = performance.now() + 100;
          while (performance.now() < untilMs);
        });
      }),
  });
  expect((await get('/readyz')).status).toBe(200);
});

test('all checks ok is 200; metrics name the build; the rest is a problem', async () => {
  const get = await start({ kafka: () => ({ ok: true }) });
  expect((await get('/readyz')).status).toBe(200);
  expect(await (await get('/metrics')).text()).toContain('relay_build_info{version="1.2.3"');
  const missing = await get('/');
  expect(missing.status).toBe(404);
  expect(missing.headers.get('content-type')).toBe('application/problem+json');
  const posted = await get('/readyz', { method: 'POST' });
  expect(posted.status).toBe(405);
  expect(posted.headers.get('allow')).toBe('GET, HEAD');
});

test('a port that is taken is a wrong setting, told in one sentence', async () => {
  const taken = await startAdminServer({
    host: '127.0.0.1',
    port: 0,
    checks: {},
    registry: createMetricsRegistry({ prefix: 'relay_', version: '1' }),
  });
  try {
    await expect(
      startAdminServer({
        host: '127.0.0.1',
        port: taken.port,
        settings: 'X_HOST and X_PORT',
        checks: {},
        registry: createMetricsRegistry({ prefix: 'relay_', version: '1' }),
      }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `cannot listen at 127.0.0.1:${taken.port}: somebody else has this port (EADDRINUSE); stop who has it, or correct X_HOST and X_PORT`,
    });
  } finally {
    await taken.close();
  }
});
