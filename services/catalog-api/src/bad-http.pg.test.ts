import { METHODS, request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem, tablesAsText } from './test-support/expect-problem.ts';
import { parseRaw, send, sendRaw, type Reply } from './test-support/http-client.ts';

/* Broken and unusual HTTP: a problem for each, and the tables stay empty. */

let catalog: TestCatalog;
let port: number;
let empty: string;

beforeAll(async () => {
  catalog = await startCatalog({ requestTimeoutMs: '1500' });
  ({ port } = catalog.service);
  empty = await tablesAsText(catalog.admin);
});
afterAll(() => catalog.close());
afterEach(async () => {
  expect(await tablesAsText(catalog.admin)).toBe(empty);
});

describe('requests that do not arrive', () => {
  it('a body that stops is 408', async () => {
    const head = `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"sku"`;
    expectProblem(parseRaw(await sendRaw(port, head)), 408, 'request-timeout');
  });

  it('headers that stop are 408', async () => {
    expectProblem(
      parseRaw(await sendRaw(port, 'GET /products HTTP/1.1\r\nHost: x\r\nX-Slow')),
      408,
      'request-timeout',
    );
  });
});

describe('methods', () => {
  it.each([
    ['DELETE', '/products', 'GET, HEAD, OPTIONS, POST'],
    ['PUT', '/products', 'GET, HEAD, OPTIONS, POST'],
    [
      'POST',
      '/products/019376e4-8c3a-7c7e-a1b2-0123456789ab',
      'DELETE, GET, HEAD, OPTIONS, PATCH, PUT',
    ],
    ['GET', '/products/batch', 'DELETE, OPTIONS, PATCH, POST, PUT'],
    ['POST', '/event-types', 'GET, HEAD, OPTIONS'],
    ['POST', '/openapi.json', 'GET, HEAD, OPTIONS'],
  ])('%s %s is 405 with Allow', async (method, path, allow) => {
    const reply = await send(catalog.url, method, path);
    expectProblem(reply, 405, 'method-not-allowed');
    expect(reply.headers.get('allow')).toBe(allow);
  });

  it('complains about the method and not about the body', async () => {
    const reply = await send(catalog.url, 'PUT', '/products', {
      body: 'x'.repeat(300_000),
      headers: { 'content-type': 'text/plain' },
    });
    expectProblem(reply, 405, 'method-not-allowed');
  });

  it('OPTIONS is 204 with Allow', async () => {
    const reply = await send(catalog.url, 'OPTIONS', '/products');
    expect(reply.status).toBe(204);
    expect(reply.headers.get('allow')).toBe('GET, HEAD, OPTIONS, POST');
  });

  it('TRACE is 405, and its answer echoes nothing', async () => {
    const answer = await sendRaw(
      port,
      'TRACE /products HTTP/1.1\r\nHost: x\r\nCookie: secret\r\nConnection: close\r\n\r\n',
    );
    expectProblem(parseRaw(answer), 405, 'method-not-allowed');
    expect(answer).not.toContain('secret');
  });

  it('QUERY, for which the framework wants a body, is 405 and 404 as any other', async () => {
    const query = (path: string) =>
      sendRaw(port, `QUERY ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    // Node 20 does not know the method yet.
    const isKnown = METHODS.includes('QUERY');
    const [status, slug] = isKnown
      ? ([405, 'method-not-allowed'] as const)
      : ([400, 'malformed-request'] as const);
    expectProblem(parseRaw(await query('/products')), status, slug);
    const unknown = parseRaw(await query('/nothing'));
    if (isKnown) expectProblem(unknown, 404, 'unknown-path');
    else expectProblem(unknown, 400, 'malformed-request');
  });

  it('a method of another protocol is 501', async () => {
    const answer = await sendRaw(
      port,
      'PROPFIND /products HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expectProblem(parseRaw(answer), 501, 'method-not-implemented');
  });
});

/** A request that an attacker hides behind another, for a proxy and us to see differently. */
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';

describe('the HTTP message', () => {
  it.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['an unknown method', 'FOO /products HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['no Host', 'GET /products HTTP/1.1\r\n\r\n'],
    [
      'a header with a bare line feed in its name',
      'GET /products HTTP/1.1\r\nHost: x\r\nX y: 1\r\n\r\n',
    ],
    ['a NUL in a header', 'GET /products HTTP/1.1\r\nHost: x\r\nX-Flow-ID: a\0b\r\n\r\n'],
    [
      'length and chunks at once (smuggling)',
      'POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two lengths (smuggling)',
      'POST /products HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}{}',
    ],
    [
      'an unknown transfer coding',
      'POST /products HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    ],
    [
      'a length in two headers that agree, and a request behind it',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}${smuggled}`,
    ],
    [
      'a list of lengths',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}${smuggled}`,
    ],
    [
      'a length with a sign',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}${smuggled}`,
    ],
    [
      'chunks and a length, the other way round',
      `POST /products HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    [
      'chunked twice',
      `POST /products HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    [
      'a transfer coding that only looks like chunked',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    [
      'white space before the colon',
      `POST /products HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    [
      'a header over two lines (obs-fold)',
      `GET /products HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n folded\r\n\r\n${smuggled}`,
    ],
    [
      'a header that begins with white space',
      `GET /products HTTP/1.1\r\n Host: x\r\n\r\n${smuggled}`,
    ],
    ['lines that end with a line feed alone', `GET /products HTTP/1.1\nHost: x\n\n${smuggled}`],
    [
      'a carriage return alone',
      `GET /products HTTP/1.1\r\nHost: x\r\nX-A: 1\rX-B: 2\r\n\r\n${smuggled}`,
    ],
    [
      'a chunk whose size is no number',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n${smuggled}`,
    ],
    [
      'a chunk whose size is beyond all numbers',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n${smuggled}`,
    ],
    [
      'a chunk that is longer than its size',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n${smuggled}`,
    ],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/0.9', 'GET /products\r\n\r\n'],
    ['another version', `GET /products HTTP/3.7\r\nHost: x\r\n\r\n${smuggled}`],
  ])('%s is 400 malformed-request, and the connection is closed', async (_name, bytes) => {
    const answer = await sendRaw(port, bytes);
    expectProblem(parseRaw(answer), 400, 'malformed-request');
    // What stands behind it is not taken for a request.
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
  });

  it.each([
    [
      'in the path',
      `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      414,
      'uri-too-long',
    ],
    [
      'in one header',
      `GET /products HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
    [
      'in many headers',
      `GET /products HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 4_000 }, (_, n) => `X-${n}: a\r\n`).join('')}\r\n`,
      431,
      'headers-too-large',
    ],
    [
      'in the extensions of chunks',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
      413,
      'body-too-large',
    ],
    [
      'in trailers',
      `POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
  ])('too much %s is refused, and the connection ends', async (_name, bytes, status, slug) => {
    expectProblem(parseRaw(await sendRaw(port, bytes)), status, slug);
  });

  it('a body that breaks behind its answer gets no second one, which would be taken for that of the next request', async () => {
    const answer = await sendRaw(
      port,
      'POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    );
    expectProblem(parseRaw(answer), 415, 'unsupported-media-type');
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
  });

  it('a target in absolute form is its path, and one that names another host gets no further', async () => {
    const ask = (target: string) =>
      sendRaw(port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const absolute = parseRaw(await ask('http://elsewhere.example/event-types'));
    expect([200, 404]).toContain(absolute.status);
    expectProblem(parseRaw(await ask('*')), 404, 'unknown-path');
    expectProblem(parseRaw(await ask('elsewhere.example:443')), 400, 'malformed-request');
  });

  it('a tunnel is not made', async () => {
    const answer = await sendRaw(
      port,
      'CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n',
    );
    expect(answer).toBe('');
  });

  it('an upgrade is not made: the request is answered as any other', async () => {
    const answer = await sendRaw(
      port,
      'GET /event-types HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('an expectation other than 100-continue is 417', async () => {
    const answer = await sendRaw(port, 'GET /products HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n');
    expectProblem(parseRaw(answer), 417, 'expectation-failed');
  });

  it('Expect: 100-continue is continued, and the body then judged', async () => {
    const reply = await new Promise<Reply>((resolve, reject) => {
      const request = httpRequest(
        {
          port,
          method: 'POST',
          path: '/products',
          headers: {
            expect: '100-continue',
            'content-type': 'application/json',
            'content-length': 2,
          },
        },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: new Headers(response.headers as Record<string, string>),
              text,
              json: JSON.parse(text) as Record<string, unknown>,
            }),
          );
        },
      );
      request.on('error', reject);
      request.on('continue', () => request.end('{}'));
      request.flushHeaders();
    });
    expectProblem(reply, 400, 'validation-failed');
  });

  it('HTTP/1.0 without Host is served', async () => {
    const answer = await sendRaw(port, 'GET /event-types HTTP/1.0\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('HTTP/1.0 keeps a connection only where it is asked to', async () => {
    const one = 'GET /event-types HTTP/1.0\r\n';
    const statuses = (answer: string) => answer.match(/HTTP\/1\.1 \d{3}/g);
    expect(statuses(await sendRaw(port, `${one}\r\n${one}\r\n`))).toHaveLength(1);
    const kept = `${one}Connection: keep-alive\r\n\r\n${one}\r\n`;
    expect(statuses(await sendRaw(port, kept))).toHaveLength(2);
  });

  it('bytes that are no HTTP behind a request do not take the place of its answer', async () => {
    const answer = await sendRaw(
      port,
      'GET /products HTTP/1.1\r\nHost: x\r\n\r\nGET /event-types HTTP/1.1\r\nHost: x\r\n\r\n\0\0\r\n\r\n',
    );
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  });

  it('pipelined requests are answered in order', async () => {
    const answer = await sendRaw(
      port,
      'GET /nothing HTTP/1.1\r\nHost: x\r\nX-Flow-ID: one\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nX-Flow-ID: two\r\nConnection: close\r\n\r\n',
    );
    expect(answer.match(/"flow_id":"(one|two)"/g)).toEqual(['"flow_id":"one"', '"flow_id":"two"']);
  });
});
