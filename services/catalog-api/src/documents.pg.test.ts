import { readFileSync } from 'node:fs';
import { createLogger } from '@outbound/service-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

/** What the test reads of an operation. */
interface DocumentedOperation {
  readonly requestBody?: { readonly content: Record<string, { readonly example?: unknown }> };
}

let catalog: TestCatalog;
const logged: string[] = [];
beforeAll(async () => {
  const write = (line: string) => void logged.push(line);
  catalog = await startCatalog({}, createLogger({ service: 'test', level: 'debug', write }));
});
afterAll(() => catalog.close());

const get = (path: string) => send(catalog.url, 'GET', path);

describe('what the service tells of itself', () => {
  it('serves the document that is kept in the repository', async () => {
    const reply = await get('/openapi.json');
    expect(reply.headers.get('content-type')).toMatch(/^application\/json/);
    const kept = readFileSync(new URL('../generated/openapi.json', import.meta.url), 'utf8');
    expect(reply.json).toEqual(JSON.parse(kept));
  });

  it('serves pages for people that need nothing from elsewhere', async () => {
    const reply = await get('/docs');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toMatch(/^text\/html/);
    const assets = [...reply.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '');
    expect(assets.length).toBeGreaterThan(2);
    for (const asset of assets) {
      expect(asset).not.toMatch(/^(https?:)?\/\//);
      const url = new URL(asset, `${catalog.url}/docs/`);
      const answer = await fetch(url);
      expect(answer.status, asset).toBe(200);
      await answer.arrayBuffer();
    }
    expect(reply.text).toContain('<title>Catalog API</title>');
    expect(reply.text).toContain('viewport.js');
    // What the page loads later is held to this service by its browser.
    expect(reply.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; .*connect-src 'self'/,
    );
  });

  it('declares its event types with their schema', async () => {
    const list = await get('/event-types');
    const names = (list.json['items'] as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(['catalog.product-change', 'catalog.category-change']);
    const one = await get('/event-types/catalog.product-change');
    expect(one.json).toMatchObject({
      category: 'data',
      owning_application: 'catalog-api',
      ordering_key_fields: ['data.version'],
      schema: { type: 'json_schema', schema: { type: 'object', additionalProperties: false } },
    });
  });

  it('counts requests by route and events by type, and never by id', async () => {
    const created = await send(catalog.url, 'POST', '/products', {
      body: '{"sku":"M","name":"N"}',
    });
    await get(`/products/${String(created.json['id'])}`);
    await get('/nothing/at/all');
    const metrics = await (
      await fetch(`http://127.0.0.1:${catalog.service.adminPort}/metrics`)
    ).text();
    expect(metrics).toContain(
      'catalog_outbox_events_total{event_type="catalog.product-change",data_op="C"} 1',
    );
    expect(metrics).toMatch(
      /catalog_http_request_duration_seconds_count\{method="GET",route="\/products\/:id",status="200"\} 1/,
    );
    expect(metrics).toMatch(/route="unmatched",status="404"/);
    for (const name of ['connections', 'idle_connections', 'waiting_requests'])
      expect(metrics).toMatch(new RegExp(`^catalog_db_pool_${name} \\d`, 'm'));
    expect(metrics).not.toContain(String(created.json['id']));
  });

  it('logs a defect with its flow id and cause, tells the caller neither, and logs no value', async () => {
    const options = {
      body: '{"sku":"MARKER-1","name":"marker-2","attributes":{"marker-3":"marker-4"}}',
      headers: { 'x-flow-id': 'defect-1', 'idempotency-key': 'marker-5' },
    };
    await catalog.admin.query('alter table product rename to product_away');
    const reply = await send(catalog.url, 'POST', '/products', options);
    await catalog.admin.query('alter table product_away rename to product');
    expectProblem(reply, 500, 'internal-error');
    const lines = logged.filter((line) => line.includes('"defect-1"'));
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({
        level: 'error',
        code: 'INTERNAL_ERROR',
        message: 'request failed',
      }),
      expect.objectContaining({ level: 'info', status: 500, route: '/products' }),
    ]);
    expect(lines[0]).toContain('42P01');
    expect(logged.join('')).not.toMatch(/marker-\d/i);
    expect((await send(catalog.url, 'POST', '/products', options)).status).toBe(201);
    expect(logged.join('')).not.toMatch(/marker-\d/i);
  });

  it('shows examples that are taken as they stand', async () => {
    const { json } = await get('/openapi.json');
    const paths = json['paths'] as Record<string, Record<string, DocumentedOperation>>;
    const exampleOf = (method: string, path: string): [type: string, body: string] => {
      const content = paths[path]?.[method]?.requestBody?.content ?? {};
      const [[type, { example }] = ['none', { example: undefined }]] = Object.entries(content);
      expect(example, `${method} ${path}`).toBeDefined();
      return [type, JSON.stringify(example)];
    };
    for (const plural of ['products', 'categories']) {
      const path = `/${plural}`;
      const [type, body] = exampleOf('post', path);
      const created = await send(catalog.url, 'POST', path, {
        headers: { 'content-type': type },
        body,
      });
      expect(created.status, created.text).toBe(201);
      const one = `${path}/${String(created.json['id'])}`;
      const conditions = { 'if-match': created.headers.get('etag') ?? '' };
      const [putType, put] = exampleOf('put', `${path}/{id}`);
      const same = await send(catalog.url, 'PUT', one, {
        headers: { ...conditions, 'content-type': putType },
        body: put,
      });
      expect([same.status, same.headers.get('etag')]).toEqual([200, created.headers.get('etag')]);
      const [patchType, patch] = exampleOf('patch', `${path}/{id}`);
      const changed = await send(catalog.url, 'PATCH', one, {
        headers: { ...conditions, 'content-type': patchType },
        body: patch,
      });
      expect([changed.status, changed.headers.get('etag')], changed.text).toEqual([200, '"2"']);
      const last = await send(catalog.url, 'DELETE', one, { headers: { 'if-match': '*' } });
      expect(last.status).toBe(204);
      for (const [method, status] of Object.entries({
        post: 201,
        put: 200,
        patch: 200,
        delete: 204,
      })) {
        const [batchType, batch] = exampleOf(method, `${path}/batch`);
        const many = await send(catalog.url, method.toUpperCase(), `${path}/batch`, {
          headers: { 'content-type': batchType },
          body: batch,
        });
        expect(many.text).toContain(`"status":${status}`);
      }
    }
  });
});
