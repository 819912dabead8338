import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDatabase } from '@outbound/outbox';
import { createLogger } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { createApi } from '../api.ts';
import { apiConfig } from '../config.ts';
import { createApiMetrics } from '../metrics.ts';
import type { Server } from '../http/server.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { parseRaw, send, sendRaw, type Reply } from '../test-support/http-client.ts';
import {
  createKey,
  inSeconds,
  jwksOf,
  signToken,
  testAudience,
  testIssuer,
} from '../test-support/test-issuer.ts';
import { authSettings } from './auth-settings.ts';
import { createAuthentication } from './create-authentication.ts';
import { maxTokenLength } from './bearer-token.ts';
import { z } from 'zod';

/* The whole API over HTTP, with an issuer, and without a database: who is admitted gets 503 for that, and is told so from who is not. */

const key = await createKey('key-1');
const logLines: string[] = [];
const logger = createLogger({
  service: 'test',
  level: 'debug',
  write: (line) => logLines.push(line),
});
/** What the issuer answers. */
const issuer = { status: 200, text: jwksOf(key.jwk), requestCount: 0, location: '' };
const issuerServer = createServer((request, response) => {
  // Where a redirection leads: somebody else's place, with keys that would fit.
  if (request.url === '/elsewhere') {
    response.end(jwksOf(key.jwk));
    return;
  }
  issuer.requestCount += 1;
  response
    .writeHead(issuer.status, issuer.location === '' ? {} : { location: issuer.location })
    .end(issuer.text);
});
const pool = new pg.Pool({ connectionString: 'postgres://u:p@127.0.0.1:1/d' });
let app: Server;
let url: string;
let port: number;

const settingsOf = (jwksUrl: string) =>
  z.object(authSettings()).parse({
    authIssuer: testIssuer,
    authAudience: testAudience,
    authJwksUrl: jwksUrl,
  });

beforeAll(async () => {
  await new Promise<void>((resolve) => issuerServer.listen(0, '127.0.0.1', resolve));
  const { port: issuerPort } = issuerServer.address() as AddressInfo;
  const authentication = await createAuthentication(
    settingsOf(`http://127.0.0.1:${issuerPort}/jwks.json`),
    logger,
  );
  app = await createApi({
    db: createDatabase(pool),
    logger,
    metrics: createApiMetrics('test', () => pool),
    publicUrl: undefined,
    verifier: authentication?.verifier,
    limits: apiConfig.parse({ databaseUrl: 'postgres://u@h/d', auth: 'off' }),
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = app.server.address() as AddressInfo);
});
afterAll(async () => {
  await app.close();
  issuerServer.close();
  await pool.end();
});

const get = async (path: string, token?: string): Promise<Reply> =>
  send(url, 'GET', path, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });

describe('a request without a good token', () => {
  it('is 401 with the challenge on every operation of the document, before its body is looked at', async () => {
    const { paths } = (await get('/openapi.json')).json as {
      paths: Record<string, Record<string, unknown>>;
    };
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => ({ method: method.toUpperCase(), path })),
    );
    expect(operations.length).toBeGreaterThan(12);
    for (const { method, path } of operations) {
      const body = method === 'GET' || method === 'HEAD' ? {} : { body: 'not JSON' };
      const reply = await send(url, method, path.replace(/\{\w+\}/g, 'x'), body);
      expectProblem(reply, 401, 'unauthenticated');
      expect(reply.headers.get('www-authenticate'), path).toBe('Bearer realm="catalog"');
    }
    expect((await fetch(`${url}/products`, { method: 'HEAD' })).status).toBe(401);
  });

  it('is not told why', async () => {
    const outsider = await createKey('key-1');
    const replies = await Promise.all(
      [
        await signToken(outsider),
        await signToken(key, { aud: 'billing' }),
        await signToken(key, { iss: 'https://evil.example.com' }),
        await signToken(key, { exp: undefined }),
        await signToken(key, { nbf: inSeconds(600) }),
        'x'.repeat(maxTokenLength + 1),
        'x',
      ].map((token) => get('/event-types', token)),
    );
    for (const reply of replies) {
      expectProblem(reply, 401, 'unauthenticated');
      expect(reply.json['detail']).toBe('The access token is not accepted. Get a new one.');
      expect(reply.headers.get('www-authenticate')).toBe(
        'Bearer realm="catalog", error="invalid_token"',
      );
    }
  });

  it('is 400 when the token is in the URL or the header comes twice', async () => {
    const token = await signToken(key);
    const inUrl = await get(`/event-types?access_token=${token}`, token);
    const twice = parseRaw(
      await sendRaw(
        port,
        `GET /event-types HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      ),
    );
    for (const reply of [inUrl, twice]) {
      expectProblem(reply, 400, 'malformed-request');
      expect(reply.headers.get('www-authenticate')).toContain('error="invalid_request"');
    }
  });
});

describe('a request with a good token', () => {
  it('is admitted where the token grants the scope', async () => {
    const token = await signToken(key);
    expect((await get('/event-types', token)).status).toBe(200);
    // The database is not there; that is all that is missing.
    expectProblem(await get('/products', token), 503, 'unavailable');
  });

  it('is 403 where it does not, and the scope is named', async () => {
    const token = await signToken(key, { scope: 'catalog.product.read catalog.product.writer' });
    const reply = await send(url, 'POST', '/products', {
      body: '{"sku":"A","name":"N"}',
      headers: { authorization: `Bearer ${token}` },
    });
    expectProblem(reply, 403, 'insufficient-scope');
    expect(reply.json['detail']).toContain('catalog.product.write,');
    expect(reply.headers.get('www-authenticate')).toBe(
      'Bearer realm="catalog", error="insufficient_scope", scope="catalog.product.write"',
    );
    expectProblem(await get('/categories', token), 403, 'insufficient-scope');
  });

  it('writes who it was into its log line, and the token nowhere', async () => {
    const token = await signToken(key, { sub: 'canary-principal' });
    const bad = await signToken(await createKey('key-1'), { sub: 'canary-principal' });
    logLines.length = 0;
    await get('/event-types', token);
    await get('/event-types', bad);
    await get(`/products?access_token=${token}`);
    await get(`/products/${token}`, token);
    const answered = () =>
      logLines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ message }) => message === 'request answered');
    // A line is written when the answer has left, which its reader may see first.
    await eventually(() => answered().length === 4);
    expect(answered().map(({ status, principal }) => [status, principal])).toEqual([
      [200, 'canary-principal'],
      [401, undefined],
      [400, undefined],
      [400, 'canary-principal'],
    ]);
    for (const part of [...token.split('.'), ...bad.split('.')].filter((each) => each.length > 40))
      expect(logLines.join('')).not.toContain(part);
  });
});

describe('what everybody may see', () => {
  it.each(['/openapi.json', '/docs', '/docs/json', '/asyncapi', '/asyncapi.json'])(
    '%s',
    async (path) => {
      expect((await get(path)).status).toBe(200);
    },
  );

  it('is also which paths and methods there are', async () => {
    expectProblem(await get('/nothing'), 404, 'unknown-path');
    expectProblem(await send(url, 'PUT', '/products'), 405, 'method-not-allowed');
    expect((await send(url, 'OPTIONS', '/products')).status).toBe(204);
  });
});

describe('the keys by URL', () => {
  const start = async () => {
    const { port: issuerPort } = issuerServer.address() as AddressInfo;
    return createAuthentication(settingsOf(`http://127.0.0.1:${issuerPort}/jwks.json`), logger);
  };

  it('that cannot be had make 503 with Retry-After, and are found when the issuer is back', async () => {
    for (const wrong of [
      { status: 500, text: 'x' },
      { status: 200, text: 'x'.repeat(300_000) },
      { status: 200, text: '{}' },
      { status: 302, text: '', location: '/elsewhere' },
    ]) {
      Object.assign(issuer, { location: '', ...wrong });
      const authentication = await start();
      await expect(
        authentication?.verifier.verify(await signToken(key)),
        JSON.stringify(wrong).slice(0, 50),
      ).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE', retryAfterSeconds: 5 });
    }
    Object.assign(issuer, { status: 200, location: '', text: jwksOf(key.jwk) });
    const authentication = await start();
    expect(await authentication?.verifier.verify(await signToken(key))).toMatchObject({
      id: 'tester',
    });
  });

  it('in a file that is not there, or holds a secret, end the start', async () => {
    for (const authJwksPath of ['/no/such/file', new URL(import.meta.url).pathname])
      await expect(
        createAuthentication(
          { ...settingsOf('https://x'), authJwksUrl: undefined, authJwksPath },
          logger,
        ),
      ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
