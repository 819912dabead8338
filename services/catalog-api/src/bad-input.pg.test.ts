import { uuidv7 } from 'uuidv7';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem, tablesAsText } from './test-support/expect-problem.ts';
import { parseRaw, send, sendRaw } from './test-support/http-client.ts';

/*
 * Bad input, one line each: exact status and problem type, nothing written, nothing told about the inside. The product `id` is there
 * throughout with version 1; after each case all tables are as they were.
 */

let catalog: TestCatalog;
let port: number;
let id: string;
let cursor: string;
let before: string;

const mergePatch = 'application/merge-patch+json';

beforeAll(async () => {
  catalog = await startCatalog();
  ({ port } = catalog.service);
  const created = await send(catalog.url, 'POST', '/products', {
    body: '{"sku":"HERE","name":"Here","brand":"B"}',
    headers: { 'idempotency-key': 'used-key' },
  });
  id = String(created.json['id']);
  await send(catalog.url, 'POST', '/products', { body: '{"sku":"HERE-2","name":"Here too"}' });
  const page = await send(catalog.url, 'GET', '/products?limit=1');
  cursor = new URL(String(page.json['next']), catalog.url).searchParams.get('cursor') ?? '';
});
afterAll(() => catalog.close());

beforeEach(async () => {
  before = await tablesAsText(catalog.admin);
});
afterEach(async () => {
  expect(await tablesAsText(catalog.admin)).toBe(before);
});

const post = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
  send(catalog.url, 'POST', '/products', { body, headers });
/** A product with these members added to the required ones. */
const withMembers = (members: string) => `{"sku":"NEW","name":"New",${members}}`;
const nested = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
const manyKeys = (count: number) =>
  `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`;
const bigText = (bytes: number) => {
  const frame = withMembers('"description":""');
  return withMembers(`"description":"${'x'.repeat(bytes - frame.length)}"`);
};

describe('the body as JSON', () => {
  it.each<[string, string | Uint8Array]>([
    ['broken', '{"sku":'],
    ['cut inside a string', '{"sku":"A'],
    ['empty', ''],
    ['two documents', '{}{}'],
    ['with a trailing comma', '{"sku":"A","name":"N",}'],
    ['with a comment', '{"sku":"A"/*no*/,"name":"N"}'],
    ['with single quotes', "{'sku':'A'}"],
    ['NaN', withMembers('"attributes":{"a":NaN}')],
    ['a leading zero', withMembers('"attributes":{"a":01}')],
    ['not UTF-8', Buffer.from('{"sku":"A","name":"\xff"}', 'latin1')],
    ['with a byte order mark', '\ufeff{"sku":"A","name":"N"}'],
    ['with a duplicate key', withMembers('"status":"DRAFT","status":"DRAFT"')],
    ['with a duplicate key inside attributes', withMembers('"attributes":{"a":1,"a":2}')],
    ['with a duplicate key in escapes', withMembers('"attributes":{"a":1,"\\u0061":2}')],
    ['__proto__', withMembers('"__proto__":{"status":"ACTIVE"}')],
    ['__proto__ in escapes', withMembers('"\\u005f_proto__":{}')],
    ['constructor inside attributes', withMembers('"attributes":{"constructor":{"prototype":1}}')],
    ['33 levels', withMembers(`"attributes":${nested(32)}`)],
    ['10,000 levels', nested(10_000)],
    ['100,000 open brackets', '['.repeat(100_000)],
    ['1,001 keys', withMembers(`"attributes":${manyKeys(1_000)}`)],
    ['a lone surrogate in escapes', '{"sku":"A","name":"a\\ud800"}'],
    ['a lone surrogate in a key', withMembers('"attributes":{"\\udc00":1}')],
    ['U+0000', '{"sku":"A","name":"a\\u0000"}'],
    ['U+0000 in a key', withMembers('"attributes":{"\\u0000":1}')],
  ])('%s is 400 malformed-json', async (_name, body) => {
    expectProblem(await post(body), 400, 'malformed-json');
  });

  it('says where a duplicate key is', async () => {
    const reply = await post(withMembers('"attributes":{"a":{"b":1,"b":2}}'));
    expect(reply.json['violations']).toMatchObject([{ in: 'body', pointer: '/attributes/a/b' }]);
  });

  it('a missing body is 400 malformed-json', async () => {
    expectProblem(await send(catalog.url, 'POST', '/products'), 400, 'malformed-json');
  });
});

describe('the body against the schema', () => {
  it.each<[string, string, string]>([
    ['null', 'null', ''],
    ['an array', '[]', ''],
    ['a string', '"x"', ''],
    ['nothing of what is required', '{}', '/sku'],
    ['an unknown field', withMembers('"colour":"red"'), '/colour'],
    ['an id', withMembers('"id":"019376e4-8c3a-7c7e-a1b2-0123456789ab"'), '/id'],
    ['a version', withMembers('"version":7'), '/version'],
    ['a time of creation', withMembers('"created_at":"2020-01-01T00:00:00.000Z"'), '/created_at'],
    ['a deletion', withMembers('"deleted_at":null'), '/deleted_at'],
    ['a column name', withMembers('"price_amount":1'), '/price_amount'],
    ['a wrong status', withMembers('"status":"active"'), '/status'],
    ['a status of Object.prototype', withMembers('"status":"toString"'), '/status'],
    ['null for an optional field', withMembers('"brand":null'), '/brand'],
    ['a number for a text', '{"sku":"A","name":1}', '/name'],
    ['a sku with a blank', '{"sku":"A B","name":"N"}', '/sku'],
    ['a sku beginning with a blank', '{"sku":" A","name":"N"}', '/sku'],
    ['a sku with SQL', `{"sku":"A'; drop table product; --","name":"N"}`, '/sku'],
    ['a sku that ends with a line break', '{"sku":"A\\n","name":"N"}', '/sku'],
    ['a decomposed sku', '{"sku":"e\\u0301","name":"N"}', '/sku'],
    ['a sku of 65', `{"sku":"${'A'.repeat(65)}","name":"N"}`, '/sku'],
    ['an empty name', '{"sku":"A","name":""}', '/name'],
    ['a name that ends with a blank', '{"sku":"A","name":"N "}', '/name'],
    ['a name of 201', `{"sku":"A","name":"${'n'.repeat(201)}"}`, '/name'],
    ['attributes that are an array', withMembers('"attributes":[]'), '/attributes'],
    ['attributes that are a long number', withMembers('"attributes":1.50'), '/attributes'],
    [
      'attributes over 64 KiB',
      withMembers(`"attributes":{"a":"${'x'.repeat(65_536)}"}`),
      '/attributes',
    ],
    ['a negative price', withMembers('"price":{"amount":-1,"currency":"EUR"}'), '/price/amount'],
    ['a price of -0', withMembers('"price":{"amount":-0,"currency":"EUR"}'), '/price/amount'],
    ['a price of 1e400', withMembers('"price":{"amount":1e400,"currency":"EUR"}'), '/price/amount'],
    ['a price of 1e2', withMembers('"price":{"amount":1e2,"currency":"EUR"}'), '/price/amount'],
    ['a price as text', withMembers('"price":{"amount":"1","currency":"EUR"}'), '/price/amount'],
    [
      'a price of 0.1+0.2',
      withMembers('"price":{"amount":0.30000000000000004,"currency":"EUR"}'),
      '/price/amount',
    ],
    [
      'a price above 2^53',
      withMembers('"price":{"amount":9007199254740993,"currency":"EUR"}'),
      '/price/amount',
    ],
    [
      'a price of 40 digits',
      withMembers(`"price":{"amount":${'9'.repeat(40)},"currency":"EUR"}`),
      '/price/amount',
    ],
    [
      'a price with five places',
      withMembers('"price":{"amount":0.00001,"currency":"EUR"}'),
      '/price/amount',
    ],
    [
      'an unknown currency',
      withMembers('"price":{"amount":1,"currency":"EURO"}'),
      '/price/currency',
    ],
    ['a price with more', withMembers('"price":{"amount":1,"currency":"EUR","x":1}'), '/price/x'],
  ])('%s is 400 validation-failed', async (_name, body, pointer) => {
    const reply = await post(body);
    expectProblem(reply, 400, 'validation-failed');
    const violations = reply.json['violations'] as { in: string; pointer: string }[];
    expect(violations).toContainEqual(expect.objectContaining({ in: 'body', pointer }));
  });

  it.each([
    ['an unknown field', '{"colour":"red"}'],
    ['a version', '{"version":7}'],
    ['removing what is required', '{"name":null}'],
    ['not an object', '[]'],
    ['half a price', '{"price":{"amount":1}}'],
  ])('a patch with %s is 400 validation-failed', async (_name, body) => {
    const reply = await send(catalog.url, 'PATCH', `/products/${id}`, {
      body,
      headers: { 'content-type': mergePatch, 'if-match': '"1"' },
    });
    expectProblem(reply, 400, 'validation-failed');
  });
});

describe('type and size of the body', () => {
  const valid = '{"sku":"NEW","name":"New"}';
  it.each<[string, Record<string, string>]>([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a merge patch where JSON is due', { 'content-type': mergePatch }],
    ['latin1', { 'content-type': 'application/json; charset=latin1' }],
    ['UTF-16', { 'content-type': 'application/json;charset="utf-16"' }],
    ['no type', { 'content-type': '' }],
    ['a broken type', { 'content-type': 'json' }],
    ['gzip', { 'content-encoding': 'gzip' }],
  ])('%s is 415', async (_name, headers) => {
    expectProblem(await post(valid, headers), 415, 'unsupported-media-type');
  });

  it('JSON where a merge patch is due is 415 with Accept-Patch', async () => {
    const reply = await send(catalog.url, 'PATCH', `/products/${id}`, {
      body: '{}',
      headers: { 'if-match': '"1"' },
    });
    expectProblem(reply, 415, 'unsupported-media-type');
    expect(reply.headers.get('accept-patch')).toBe(mergePatch);
  });

  it('exactly the limit is read, one byte more is 413', async () => {
    const limit = 262_144;
    expectProblem(await post(bigText(limit)), 400, 'validation-failed');
    expectProblem(await post(bigText(limit + 1)), 413, 'body-too-large');
  });

  it('10 GiB announced is 413 before anything is sent', async () => {
    const head = `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10737418240\r\n\r\n`;
    expectProblem(parseRaw(await sendRaw(port, head)), 413, 'body-too-large');
  });

  it('chunks without an end are 413 at the limit, and the connection is closed', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const head = `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const reply = parseRaw(await sendRaw(port, head, ...Array<string>(6).fill(chunk)));
    expectProblem(reply, 413, 'body-too-large');
    expect(reply.headers.get('connection')).toBe('close');
  });
});

describe('ids and paths', () => {
  it.each([
    ['not a UUID', '/products/abc', 400, 'invalid-id'],
    ['the nil UUID', '/products/00000000-0000-0000-0000-000000000000', 400, 'invalid-id'],
    ['the max UUID', '/products/ffffffff-ffff-ffff-ffff-ffffffffffff', 400, 'invalid-id'],
    ['braces', '/products/%7B019376e4-8c3a-7c7e-a1b2-0123456789ab%7D', 400, 'invalid-id'],
    ['U+0000', '/products/%00', 400, 'invalid-id'],
    ['encoded dots', '/products/%2e%2e%2fcategories', 400, 'invalid-id'],
    ['double encoding', '/products/%252e%252e', 400, 'invalid-id'],
    ['SQL', "/products/1'%20or%20'1'='1", 400, 'invalid-id'],
    ['a long id', `/products/${'a'.repeat(5_000)}`, 400, 'invalid-id'],
    ['a trailing slash', '/products/', 404, 'unknown-path'],
    ['an empty segment', '//products', 404, 'unknown-path'],
    ['a further segment', `/products/019376e4-8c3a-7c7e-a1b2-0123456789ab/x`, 404, 'unknown-path'],
    ['another case', '/Products', 404, 'unknown-path'],
    ['an unknown path', '/nothing', 404, 'unknown-path'],
    ['Object.prototype', '/event-types/constructor', 404, 'not-found'],
  ])('%s is answered exactly', async (_name, path, status, type) => {
    expectProblem(await send(catalog.url, 'GET', path), status, type);
  });

  it('a broken escape is 400 malformed-request', async () => {
    const answer = await sendRaw(
      port,
      'GET /products/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expectProblem(parseRaw(answer), 400, 'malformed-request');
  });

  it('a URL over 8 KiB is 414', async () => {
    expectProblem(
      await send(catalog.url, 'GET', `/products?sku=${'a'.repeat(8_192)}`),
      414,
      'uri-too-long',
    );
  });
});

describe('the list', () => {
  it.each([
    ['limit=0'],
    ['limit=-1'],
    ['limit=1001'],
    ['limit=1e3'],
    ['limit=1000000000'],
    ['limit=abc'],
    ['limit='],
    ['limit=1&limit=2'],
    ['offset=1'],
    ['sort=price_amount'],
    ['status=deleted'],
    ['status=ACTIVE&status='],
    ["sku=A'%20or%201=1"],
    ['sku=%25'],
    ['brand=%00'],
    ['category=A_B'],
    ['__proto__=1'],
    [`cursor=${'a'.repeat(201)}`],
  ])('%s is 400 validation-failed', async (query) => {
    const reply = await send(catalog.url, 'GET', `/products?${query}`);
    expectProblem(reply, 400, 'validation-failed');
    expect(reply.json['violations']).toMatchObject([{ in: 'query' }]);
  });

  it.each([
    ['a byte that begins nothing', 'brand=%FF'],
    ['a character that is cut', 'brand=%C3'],
    ['a character written too long', 'brand=%C0%AF'],
    ['half a pair', 'brand=%ED%A0%80'],
    ['an escape that is none', 'brand=%zz'],
    ['a percent sign alone', 'brand=100%'],
    ['a name that is none', '%FF=1'],
    ['bytes beyond ASCII as they are', 'brand=\xc3\xa9'],
  ])('%s in the query is 400 malformed-request', async (_name, query) => {
    const head = `GET /products?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const answer = await sendRaw(port, Buffer.from(head, 'latin1'));
    expectProblem(parseRaw(answer), 400, 'malformed-request');
  });

  it('UTF-8 in the query is what it means', async () => {
    const reply = await send(catalog.url, 'GET', '/products?brand=%C3%A9%F0%9F%98%80+%26');
    expect(reply.json['self']).toBe('/products?brand=%C3%A9%F0%9F%98%80+%26&limit=100');
  });

  it('a forged, cut, foreign or differently filtered cursor is 400 invalid-cursor', async () => {
    const forged = Buffer.from("n' or 1=1 --").toString('base64url');
    for (const path of [
      '/products?cursor=x',
      '/products?cursor=',
      `/products?cursor=${forged}`,
      `/products?cursor=${cursor.slice(0, -4)}`,
      `/products?cursor=${cursor}&brand=B`,
      `/categories?cursor=${cursor}`,
    ])
      expectProblem(await send(catalog.url, 'GET', path), 400, 'invalid-cursor');
  });
});

describe('conditions and headers', () => {
  it.each<[string, Record<string, string>, number, string]>([
    ['no condition', {}, 428, 'precondition-required'],
    ['a stale If-Match', { 'if-match': '"2"' }, 412, 'precondition-failed'],
    ['a weak If-Match', { 'if-match': 'W/"1"' }, 412, 'precondition-failed'],
    ['an unquoted If-Match', { 'if-match': '1' }, 400, 'invalid-header'],
    ['an empty If-Match', { 'if-match': '' }, 400, 'invalid-header'],
    ['a half If-Match', { 'if-match': '"1", ' + '2' }, 400, 'invalid-header'],
    ['creation where it is', { 'if-none-match': '*' }, 412, 'precondition-failed'],
    ['If-None-Match with a tag', { 'if-none-match': '"1"' }, 428, 'precondition-required'],
    ['both', { 'if-match': '"1"', 'if-none-match': '*' }, 412, 'precondition-failed'],
    ['an empty flow id', { 'if-match': '"1"', 'x-flow-id': '' }, 400, 'invalid-header'],
    ['a flow id with a blank', { 'if-match': '"1"', 'x-flow-id': 'a b' }, 400, 'invalid-header'],
    [
      'a flow id of 129',
      { 'if-match': '"1"', 'x-flow-id': 'a'.repeat(129) },
      400,
      'invalid-header',
    ],
  ])('a PUT with %s is answered exactly', async (_name, headers, status, type) => {
    const reply = await send(catalog.url, 'PUT', `/products/${id}`, {
      body: '{"sku":"HERE","name":"Other"}',
      headers,
    });
    expectProblem(reply, status, type);
  });

  it.each([
    ['PUT', 412, 'precondition-failed'],
    ['PATCH', 404, 'not-found'],
    ['DELETE', 404, 'not-found'],
  ])('a %s of what is not there is answered exactly', async (method, status, type) => {
    const reply = await send(catalog.url, method, `/products/${uuidv7()}`, {
      ...(method === 'DELETE' ? {} : { body: '{"sku":"NEW","name":"N"}' }),
      headers: {
        'if-match': '"1"',
        ...(method === 'PATCH' ? { 'content-type': mergePatch } : {}),
      },
    });
    expectProblem(reply, status, type);
  });

  it.each([
    ['empty', ''],
    ['with a blank', 'a b'],
    ['not ASCII', 'caf\u00e9'],
    ['of 256', 'k'.repeat(256)],
    ['of 10 KiB', 'k'.repeat(10_240)],
  ])('an Idempotency-Key that is %s is 400 invalid-header', async (_name, key) => {
    const reply = await post('{"sku":"NEW","name":"N"}', { 'idempotency-key': key });
    expectProblem(reply, 400, 'invalid-header');
  });

  it('an Idempotency-Key that came with another body is 400 idempotency-key-reused', async () => {
    const reply = await post('{"sku":"NEW","name":"N"}', { 'idempotency-key': 'used-key' });
    expectProblem(reply, 400, 'idempotency-key-reused');
  });

  it('headers over 16 KiB are 431', async () => {
    const reply = await sendRaw(
      port,
      `GET /products HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(17_000)}\r\n\r\n`,
    );
    expectProblem(parseRaw(reply), 431, 'headers-too-large');
  });
});
