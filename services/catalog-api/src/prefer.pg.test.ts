import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { send, type Reply } from './test-support/http-client.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const minimal = { prefer: 'return=minimal' };
const call = (method: string, path: string, body: string, headers: Record<string, string>) =>
  send(catalog.url, method, path, {
    body,
    headers: {
      ...(method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {}),
      ...headers,
    },
  });
const told = ({ status, headers, text }: Reply) => [
  status,
  headers.get('etag'),
  headers.get('preference-applied'),
  text === '' ? 'no body' : 'a body',
];

it('a change answers without a body where that is preferred, and says so', async () => {
  const created = await call('POST', '/products', '{"sku":"MIN","name":"N"}', minimal);
  expect(told(created)).toEqual([201, '"1"', 'return=minimal', 'no body']);
  const path = created.headers.get('location') ?? '';
  expect((await send(catalog.url, 'GET', path, { headers: minimal })).json['version']).toBe(1);
  const put = await call('PUT', path, '{"sku":"MIN","name":"N2"}', {
    ...minimal,
    'if-match': '"1"',
  });
  expect(told(put)).toEqual([204, '"2"', 'return=minimal', 'no body']);
  const patched = await call('PATCH', path, '{"name":"N3"}', { ...minimal, 'if-match': '"2"' });
  expect(told(patched)).toEqual([204, '"3"', 'return=minimal', 'no body']);
  const unchanged = await call('PATCH', path, '{}', {
    'if-match': '*',
    prefer: 'return=representation',
  });
  expect(told(unchanged)).toEqual([200, '"3"', 'return=representation', 'a body']);
  const refused = await call('PATCH', path, '{}', { ...minimal, 'if-match': '"1"' });
  expect([
    refused.status,
    refused.json['status'],
    refused.headers.get('preference-applied'),
  ]).toEqual([412, 412, null]);
  const id = '019376e4-8c3a-7c7e-a1b2-0123456789ab';
  const chosen = await call('PUT', `/products/${id}`, '{"sku":"MIN-2","name":"N"}', {
    ...minimal,
    'if-none-match': '*',
  });
  expect([...told(chosen), chosen.headers.get('location')]).toEqual([
    201,
    '"1"',
    'return=minimal',
    'no body',
    `/products/${id}`,
  ]);
});

it('a repetition under a key gets what it prefers itself', async () => {
  const once = (headers: Record<string, string>) =>
    call('POST', '/products', '{"sku":"TWICE","name":"N"}', {
      ...headers,
      'idempotency-key': 'twice',
    });
  const first = await once(minimal);
  const whole = await once({});
  const again = await once(minimal);
  expect(told(first)).toEqual([201, '"1"', 'return=minimal', 'no body']);
  expect(told(whole)).toEqual([201, '"1"', null, 'a body']);
  expect(told(again)).toEqual(told(first));
  expect(whole.headers.get('idempotent-replayed')).toBe('true');
  const path = first.headers.get('location') ?? '';
  expect(whole.text).toBe((await send(catalog.url, 'GET', path)).text);
});

it('what was erased since is a problem whatever is preferred', async () => {
  const once = (headers: Record<string, string>) =>
    call('POST', '/products', '{"sku":"GONE","name":"N"}', {
      ...headers,
      'idempotency-key': 'gone',
    });
  const { json } = await once({});
  await catalog.admin.query('select idempotency_forget($1)', [json['id']]);
  for (const headers of [{}, minimal, { prefer: 'return=representation' }]) {
    const reply = await once(headers);
    expect([
      ...told(reply),
      reply.headers.get('content-type')?.split(';')[0],
      reply.json['type'],
    ]).toEqual([404, null, null, 'a body', 'application/problem+json', '/problems/not-found']);
  }
});
