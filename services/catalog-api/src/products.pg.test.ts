import { randomUUID } from 'node:crypto';
import { parseJson } from '@outbound/contract';
import { product, productChange } from '@outbound/schemas';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { send, type Reply } from './test-support/http-client.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const mergePatch = { 'content-type': 'application/merge-patch+json' };
const call = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
  send(catalog.url, method, path, { ...(body === undefined ? {} : { body }), headers });
let skus = 0;
const newSku = () => `SKU-${++skus}`;
const create = async (fields: Record<string, unknown> = {}): Promise<Reply> =>
  call('POST', '/products', JSON.stringify({ sku: newSku(), name: 'Shoe', ...fields }));
const idOf = (reply: Reply) => String(reply.json['id']);

interface OutboxRow {
  readonly payload: string;
  readonly data_op: string;
  readonly version: string;
  readonly headers: string;
}
const eventsOf = async (id: string): Promise<OutboxRow[]> => {
  const { rows } = await catalog.admin.query<OutboxRow>(
    'select payload::text, data_op, version, headers::text from outbox where aggregateid = $1 order by version',
    [id],
  );
  return rows;
};
/** The text of `data` in the payload: the last member. */
const dataText = (payload: string | undefined) =>
  /"data_type":"[^"]*","data":(.*)\}$/s.exec(payload ?? '')?.[1];

describe('creating a product', () => {
  it('answers 201 with Location, ETag and the entity, whose bytes are the bytes of the event', async () => {
    const reply = await call(
      'POST',
      '/products',
      '{"sku":"EXACT","name":"Exact","price":{"amount":1.50,"currency":"EUR"},"attributes":{"n":12345678901234567890,"d":1.50,"e":1e2}}',
    );
    expect(reply.status).toBe(201);
    const id = idOf(reply);
    expect(reply.headers.get('location')).toBe(`/products/${id}`);
    expect(reply.headers.get('etag')).toBe('"1"');
    expect(reply.text).toContain('"attributes":{"n":12345678901234567890,"d":1.50,"e":1e2}');
    expect(reply.text).toContain('"price":{"amount":1.5,"currency":"EUR"}');
    expect(product.safeParse(parseJson(reply.text)).error).toBeUndefined();
    const events = await eventsOf(id);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ data_op: 'C', version: '1' });
    expect(dataText(events[0]?.payload)).toBe(reply.text);
    const value: unknown = parseJson(events[0]?.payload ?? '');
    expect(productChange.value.safeParse(value).error).toBeUndefined();
    const read = await call('GET', `/products/${id}`);
    expect(read.text).toBe(reply.text);
  });

  it('puts flow id and traceparent of the request into the event', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const reply = await call('POST', '/products', JSON.stringify({ sku: newSku(), name: 'A' }), {
      'x-flow-id': 'flow/1+a_b-c=',
      traceparent,
    });
    expect(reply.headers.get('x-flow-id')).toBe('flow/1+a_b-c=');
    const [event] = await eventsOf(idOf(reply));
    expect(JSON.parse(event?.headers ?? '')).toMatchObject({ traceparent });
    expect(JSON.parse(event?.payload ?? '')).toMatchObject({
      metadata: { flow_id: 'flow/1+a_b-c=' },
    });
  });

  it('makes a flow id where there is none', async () => {
    const reply = await call('GET', '/products');
    expect(reply.headers.get('x-flow-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('refuses a SKU that a live product has, and names the field', async () => {
    const first = await create();
    const reply = await create({ sku: first.json['sku'] });
    expect(reply.status).toBe(409);
    expect(reply.json).toMatchObject({
      type: '/problems/conflict',
      violations: [{ in: 'body', pointer: '/sku', message: 'is taken' }],
    });
  });

  it('takes the SKU of a deleted product for a new entity', async () => {
    const first = await create();
    const path = `/products/${idOf(first)}`;
    expect((await call('DELETE', path, undefined, { 'if-match': '"1"' })).status).toBe(204);
    const second = await create({ sku: first.json['sku'] });
    expect(second.status).toBe(201);
    expect(idOf(second)).not.toBe(idOf(first));
    expect(second.json['version']).toBe(1);
  });
});

describe('reading a product', () => {
  it('answers 304 if the caller has the current version', async () => {
    const path = `/products/${idOf(await create())}`;
    expect((await call('GET', path, undefined, { 'if-none-match': 'W/"1"' })).status).toBe(304);
    expect((await call('GET', path, undefined, { 'if-none-match': '"2"' })).status).toBe(200);
  });

  it('is refused with 412 if the caller wants another version, before If-None-Match is looked at', async () => {
    const path = `/products/${idOf(await create())}`;
    const read = (headers: Record<string, string>, method = 'GET') =>
      call(method, path, undefined, headers);
    expect((await read({ 'if-match': '"1"' })).status).toBe(200);
    expect((await read({ 'if-match': '*' })).status).toBe(200);
    expect((await read({ 'if-match': ', "2",, "1"', 'if-none-match': '"1"' })).status).toBe(304);
    expect((await read({ 'if-match': 'W/"1"' })).json['detail']).toContain('W/ makes the tag weak');
    for (const method of ['GET', 'HEAD'])
      expect((await read({ 'if-match': '"2"', 'if-none-match': '"1"' }, method)).status).toBe(412);
    expect((await read({ 'if-match': '1' })).json['type']).toBe('/problems/invalid-header');
  });

  it('answers HEAD like GET without the body', async () => {
    const reply = await call('HEAD', `/products/${idOf(await create())}`);
    expect(reply).toMatchObject({ status: 200, text: '' });
    expect(reply.headers.get('etag')).toBe('"1"');
  });

  it('takes an upper-case id for the same id', async () => {
    const id = idOf(await create());
    const reply = await call('GET', `/products/${id.toUpperCase()}`);
    expect(idOf(reply)).toBe(id);
  });

  it('answers 404 for an id that is not there', async () => {
    const reply = await call('GET', `/products/${randomUUID()}`);
    expect(reply.status).toBe(404);
    expect(reply.json['type']).toBe('/problems/not-found');
  });
});

describe('putting a product', () => {
  const input = () => JSON.stringify({ sku: newSku(), name: 'Put' });

  it('creates under the id that the caller chose', async () => {
    const id = uuidv7();
    const reply = await call('PUT', `/products/${id}`, input(), { 'if-none-match': '*' });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('location')).toBe(`/products/${id}`);
    expect(reply.json).toMatchObject({ id, version: 1 });
    const again = await call('PUT', `/products/${id}`, input(), { 'if-none-match': '*' });
    expect(again.status).toBe(412);
  });

  it('lets one of many who create the same id win', async () => {
    const id = uuidv7();
    const replies = await Promise.all(
      Array.from({ length: 8 }, () =>
        call('PUT', `/products/${id}`, input(), { 'if-none-match': '*' }),
      ),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([
      201,
      ...Array<number>(7).fill(412),
    ]);
    expect(await eventsOf(id)).toHaveLength(1);
  });

  it('refuses a chosen id that is not of version 7', async () => {
    const reply = await call('PUT', `/products/${randomUUID()}`, input(), { 'if-none-match': '*' });
    expect(reply).toMatchObject({ status: 400, json: { type: '/problems/invalid-id' } });
  });

  it('replaces all that the caller decides', async () => {
    const created = await create({ brand: 'B', description: 'D', attributes: { a: 1 } });
    const path = `/products/${idOf(created)}`;
    const sku = newSku();
    const reply = await call('PUT', path, JSON.stringify({ sku, name: 'New' }), {
      'if-match': '"1"',
    });
    expect(reply.status).toBe(200);
    expect(reply.json).toEqual({
      id: idOf(created),
      sku,
      name: 'New',
      attributes: {},
      status: 'DRAFT',
      version: 2,
      created_at: created.json['created_at'],
      updated_at: expect.any(String) as string,
    });
    const events = await eventsOf(idOf(created));
    expect(events.map(({ data_op }) => data_op)).toEqual(['C', 'U']);
    expect(dataText(events[1]?.payload)).toBe(reply.text);
  });

  it('writes nothing if nothing changes, and answers with the same ETag', async () => {
    const created = await create({
      attributes: { n: 1 },
      price: { amount: 9.99, currency: 'EUR' },
    });
    const id = idOf(created);
    const { sku, name, attributes, price } = created.json;
    const body = JSON.stringify({ sku, name, attributes, price });
    const reply = await call('PUT', `/products/${id}`, body, { 'if-match': '"1"' });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('etag')).toBe('"1"');
    expect(reply.text).toBe(created.text);
    const patched = await call('PATCH', `/products/${id}`, '{}', {
      ...mergePatch,
      'if-match': '*',
    });
    expect(patched.text).toBe(created.text);
    expect(await eventsOf(id)).toHaveLength(1);
  });

  it('creates a deleted product again under its id and continues its versions', async () => {
    const id = idOf(await create());
    const path = `/products/${id}`;
    await call('DELETE', path, undefined, { 'if-match': '"1"' });
    expect((await call('PUT', path, input(), { 'if-match': '"2"' })).status).toBe(412);
    const reply = await call('PUT', path, input(), { 'if-none-match': '*' });
    expect(reply).toMatchObject({ status: 201, json: { id, version: 3 } });
    const events = await eventsOf(id);
    expect(events.map(({ data_op, version }) => `${data_op}${version}`)).toEqual([
      'C1',
      'D2',
      'C3',
    ]);
    expect(dataText(events[2]?.payload)).toBe(reply.text);
  });
});

describe('patching a product', () => {
  it('merges, also inside attributes and price, and keeps every digit that it does not touch', async () => {
    const created = await call(
      'POST',
      '/products',
      `{"sku":"${newSku()}","name":"P","brand":"B","price":{"amount":2,"currency":"EUR"},"attributes":{"big":12345678901234567890,"gone":1,"deep":{"a":1,"b":2}}}`,
    );
    const reply = await call(
      'PATCH',
      `/products/${idOf(created)}`,
      '{"brand":null,"price":{"amount":3.25},"attributes":{"gone":null,"deep":{"b":null,"c":0.10}}}',
      { ...mergePatch, 'if-match': '"1"' },
    );
    expect(reply.status).toBe(200);
    expect(reply.text).toContain(
      '"attributes":{"big":12345678901234567890,"deep":{"a":1,"c":0.10}}',
    );
    expect(reply.text).toContain('"price":{"amount":3.25,"currency":"EUR"}');
    expect(reply.json).not.toHaveProperty('brand');
    expect(reply.headers.get('etag')).toBe('"2"');
  });

  it('grows attributes beyond the keys that one request may have, and what was stored can be read, changed and put back', async () => {
    const created = await create();
    const path = `/products/${idOf(created)}`;
    for (let part = 0; part < 3; part += 1) {
      const keys = Array.from({ length: 900 }, (_, index) => [`k${part * 900 + index}`, 1]);
      const body = JSON.stringify({ attributes: Object.fromEntries(keys) as unknown });
      const patched = await call('PATCH', path, body, {
        ...mergePatch,
        'if-match': `"${part + 1}"`,
      });
      expect(patched.status).toBe(200);
    }
    const read = await call('GET', path);
    expect(read.status).toBe(200);
    expect(Object.keys(read.json['attributes'] as object)).toHaveLength(2700);
    const { id: _, version: __, created_at: ___, updated_at: ____, ...fields } = read.json;
    const back = await call('PUT', path, JSON.stringify({ ...fields, name: 'Back' }), {
      'if-match': '"4"',
    });
    expect(back.status).toBe(200);
    const again = await call('GET', path);
    expect(again.json['attributes']).toEqual(read.json['attributes']);
    const [last] = (await eventsOf(idOf(created))).slice(-1);
    expect(dataText(last?.payload)).toBe(again.text);
  });

  it('validates the result as a whole', async () => {
    const id = idOf(await create());
    const reply = await call('PATCH', `/products/${id}`, '{"price":{"amount":3}}', {
      ...mergePatch,
      'if-match': '"1"',
    });
    expect(reply).toMatchObject({ status: 400, json: { type: '/problems/validation-failed' } });
    expect(reply.json['violations']).toMatchObject([{ in: 'body', pointer: '/price/currency' }]);
    expect(await eventsOf(id)).toHaveLength(1);
  });

  it('lets exactly one writer win each version', async () => {
    const id = idOf(await create());
    const wins: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async (_, writer) => {
        for (let version = 1; ;) {
          const reply = await call('PATCH', `/products/${id}`, `{"name":"w${writer}"}`, {
            ...mergePatch,
            'if-match': `"${version}"`,
          });
          if (reply.status === 200) {
            wins.push(version);
            return;
          }
          expect(reply.status).toBe(412);
          version = Number((await call('GET', `/products/${id}`)).json['version']);
        }
      }),
    );
    expect(wins.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    const events = await eventsOf(id);
    expect(events.map(({ version }) => Number(version))).toEqual(
      Array.from({ length: 51 }, (_, index) => index + 1),
    );
  });
});

describe('conditions', () => {
  it.each([
    ['"1"', 204],
    ['*', 204],
    ['"7", "1"', 204],
    ['W/"1"', 412],
    ['"2"', 412],
    ['1', 400],
    ['', 428],
  ])('a DELETE with If-Match %s is answered %i', async (ifMatch, status) => {
    const id = idOf(await create());
    const headers: Record<string, string> = ifMatch === '' ? {} : { 'if-match': ifMatch };
    expect((await call('DELETE', `/products/${id}`, undefined, headers)).status).toBe(status);
  });

  it.each(['PUT', 'PATCH'])('a %s without a condition is answered 428', async (method) => {
    const id = idOf(await create());
    const reply = await call(
      method,
      `/products/${id}`,
      JSON.stringify({ sku: newSku(), name: 'N' }),
      method === 'PATCH' ? mergePatch : {},
    );
    expect(reply).toMatchObject({ status: 428, json: { type: '/problems/precondition-required' } });
  });

  it('a change or a second deletion of a deleted product is answered 404', async () => {
    const path = `/products/${idOf(await create())}`;
    await call('DELETE', path, undefined, { 'if-match': '*' });
    expect((await call('DELETE', path, undefined, { 'if-match': '*' })).status).toBe(404);
    expect((await call('PATCH', path, '{}', { ...mergePatch, 'if-match': '*' })).status).toBe(404);
    expect((await call('GET', path)).status).toBe(404);
  });
});

describe('deleting a product', () => {
  it('publishes the last state with the next version', async () => {
    const created = await create({ brand: 'B' });
    await call('DELETE', `/products/${idOf(created)}`, undefined, { 'if-match': '"1"' });
    const [, event] = await eventsOf(idOf(created));
    expect(event).toMatchObject({ data_op: 'D', version: '2' });
    const value = JSON.parse(event?.payload ?? '') as { data: Record<string, unknown> };
    expect(value.data).toMatchObject({
      ...created.json,
      version: 2,
      updated_at: expect.any(String) as string,
    });
    expect(productChange.value.safeParse(parseJson(event?.payload ?? '')).error).toBeUndefined();
  });
});

describe('categories, the second aggregate', () => {
  it('are created, changed and deleted by the same commands', async () => {
    const created = await call('POST', '/categories', '{"code":"shoes","name":"Shoes"}');
    expect(created.status).toBe(201);
    const path = `/categories/${idOf(created)}`;
    const patched = await call('PATCH', path, '{"name":"All shoes"}', {
      ...mergePatch,
      'if-match': '"1"',
    });
    expect(patched.json).toMatchObject({ code: 'shoes', name: 'All shoes', version: 2 });
    expect((await call('POST', '/categories', '{"code":"shoes","name":"S"}')).status).toBe(409);
    expect((await call('DELETE', path, undefined, { 'if-match': '"2"' })).status).toBe(204);
    const events = await eventsOf(idOf(created));
    expect(events.map(({ data_op }) => data_op)).toEqual(['C', 'U', 'D']);
  });
});
