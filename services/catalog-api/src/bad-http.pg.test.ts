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
    ['PATCH', '/products/batch', 'OPTIONS, POST'],
    ['GET', '/products/batch', 'OPTIONS, POST'],
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
  ])('%s is 400 malformed-request, and the connection is closed', async (_name, bytes) => {
    expectProblem(parseRaw(await sendRaw(port, bytes)), 400, 'malformed-request');
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

  it('pipelined requests are answered in order', async () => {
    const answer = await sendRaw(
      port,
      'GET /nothing HTTP/1.1\r\nHost: x\r\nX-Flow-ID: one\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nX-Flow-ID: two\r\nConnection: close\r\n\r\n',
    );
    expect(answer.match(/"flow_id":"(one|two)"/g)).toEqual(['"flow_id":"one"', '"flow_id":"two"']);
  });
});
