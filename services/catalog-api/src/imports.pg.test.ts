import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { createCallers, type TestCallers } from './test-support/callers.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send, sendRaw, type Reply } from './test-support/http-client.ts';
import { linesOf, openImport } from './test-support/ndjson.ts';

/** An import takes any number of lines in bounded memory, answers each, and goes on where it broke. */
let catalog: TestCatalog;
let callers: TestCallers;
/** A service whose patience is short. */
let hasty: string;
let hastyAdminPort: number;
beforeAll(async () => {
  callers = await createCallers();
  catalog = await startCatalog();
  const service = await catalog.startAnother({
    requestTimeoutMs: '600',
    answerTimeoutMs: '1000',
    maxImports: '2',
  });
  hastyAdminPort = service.adminPort;
  hasty = `http://127.0.0.1:${service.port}`;
});
afterAll(async () => {
  await catalog.close();
  await callers.close();
});

const ndjson = { 'content-type': 'application/x-ndjson' };
const products = (name: string, from: number, to: number): string =>
  Array.from(
    { length: to - from + 1 },
    (_, i) =>
      `{"sku":"${name}-${from + i}","name":"Number ${from + i}","price":{"amount":19.99,"currency":"EUR"}}\n`,
  ).join('');
const importOf = (
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  url = catalog.url,
): Promise<Reply> =>
  send(url, 'POST', '/products/import', { body, headers: { ...ndjson, ...headers } });

async function countOf(name: string) {
  const { rows } = await catalog.admin.query(
    `select (select count(*)::int from product where sku like $1) as products,
      (select count(*)::int from outbox where payload -> 'data' ->> 'sku' like $1) as events`,
    [`${name}-%`],
  );
  return rows[0] as unknown;
}

async function metric(adminPort: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
}

describe('an import', () => {
  it('writes row and event of each line, and answers each in its order', async () => {
    const reply = await importOf(products('PLAIN', 1, 250));
    expect(reply.status).toBe(207);
    expect(reply.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = linesOf(reply.text);
    expect(lines.at(-1)).toEqual({ end: { lines: 250, succeeded: 250, failed: 0, repeated: 0 } });
    expect(lines.slice(0, -1).map(({ line, status, etag }) => [line, status, etag])).toEqual(
      Array.from({ length: 250 }, (_, i) => [i + 1, 201, '"1"']),
    );
    expect(await countOf('PLAIN')).toEqual({ products: 250, events: 250 });
    const one = await send(catalog.url, 'GET', `/products/${String(lines[7]?.['id'])}`);
    expect(one.text).toContain('"sku":"PLAIN-8","name":"Number 8","price":{"amount":19.99,');
  });

  it('answers while the body still comes', async () => {
    const open = openImport(catalog.url);
    await open.write(products('EARLY', 1, 101));
    const response = await open.answer;
    expect(response.statusCode).toBe(207);
    const [piece] = (await once(response, 'data')) as [Buffer];
    expect(piece.toString()).toContain('{"line":100,"status":201');
    expect(await countOf('EARLY')).toEqual({ products: 100, events: 100 });
    open.request.destroy();
  });

  it('refuses bad lines alone, and says what is wrong with each', async () => {
    const body = Buffer.concat([
      Buffer.from('{"sku":"BAD-1","name":"N"}\n\n{"sku":"BAD-2"}\n{"sku":\n[]\n'),
      Buffer.from('{"sku":"BAD-3","name":"\xff"}\n', 'latin1'),
      Buffer.from(`{"sku":"BAD-4","name":"N","sku":"BAD-5"}\n{"sku":"BAD-1","name":"N"}\n`),
      Buffer.from(`{"sku":"BAD-6","name":"${'x'.repeat(300_000)}"}\n`),
      Buffer.from(
        '{"sku":"BAD-7","name":"N","id":"7"}\n{"sku":"BAD-8","name":"Last without an end"}',
      ),
    ]);
    const lines = linesOf((await importOf(body)).text);
    expect(
      lines
        .slice(0, -1)
        .map(({ line, status, problem }) => [
          line,
          status,
          (problem as { type: string } | undefined)?.type,
        ]),
    ).toEqual([
      [1, 201, undefined],
      [3, 400, '/problems/validation-failed'],
      [4, 400, '/problems/malformed-json'],
      [5, 400, '/problems/validation-failed'],
      [6, 400, '/problems/malformed-json'],
      [7, 400, '/problems/malformed-json'],
      [8, 409, '/problems/conflict'],
      [9, 413, '/problems/body-too-large'],
      [10, 400, '/problems/validation-failed'],
      [11, 201, undefined],
    ]);
    expect(await countOf('BAD')).toEqual({ products: 2, events: 2 });
    expect(JSON.stringify(lines[1]?.['problem'])).toContain('/name');
  });

  it('tells only what failed, and how far it is, where that is asked for', async () => {
    const reply = await importOf(`${products('MINIMAL', 1, 120)}{}\n`, {
      prefer: 'return=minimal',
    });
    expect(reply.headers.get('preference-applied')).toBe('return=minimal');
    expect(linesOf(reply.text)).toEqual([
      { done: 100, lines: 100, succeeded: 100, failed: 0, repeated: 0 },
      { line: 121, status: 400, problem: expect.anything() as unknown },
      { done: 121, lines: 121, succeeded: 120, failed: 1, repeated: 0 },
      { end: { lines: 121, succeeded: 120, failed: 1, repeated: 0 } },
    ]);
  });

  it('takes nothing, and what is no stream is told so', async () => {
    const empty = linesOf((await importOf('')).text);
    expect(empty).toEqual([{ end: { lines: 0, succeeded: 0, failed: 0, repeated: 0 } }]);
    const json = await importOf('{}', { 'content-type': 'application/json' });
    expectProblem(json, 415, 'unsupported-media-type');
    expect(json.headers.get('accept')).toBe('application/x-ndjson');
    expectProblem(
      await importOf('{}', { 'content-encoding': 'br' }),
      415,
      'unsupported-media-type',
    );
    for (const path of ['/products', '/products/batch']) {
      const elsewhere = await send(catalog.url, 'POST', path, { body: '{}', headers: ndjson });
      expectProblem(elsewhere, 415, 'unsupported-media-type');
    }
    const body = '{"code":"imported","name":"N"}\n';
    const category = await send(catalog.url, 'POST', '/categories/import', {
      body,
      headers: ndjson,
    });
    expect(linesOf(category.text)[0]).toMatchObject({ line: 1, status: 201 });
  });

  it('is gzip both ways', async () => {
    const body = gzipSync(products('ZIPPED', 1, 5));
    // Two members, as a file has that was appended to.
    const twice = Buffer.concat([body, gzipSync(products('ZIPPED', 6, 7))]);
    const open = openImport(catalog.url, { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' });
    open.request.end(twice);
    const response = await open.answer;
    expect(response.headers['content-encoding']).toBe('gzip');
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece as Buffer);
    expect(linesOf(gunzipSync(Buffer.concat(pieces)).toString()).at(-1)).toMatchObject({
      end: { lines: 7, succeeded: 7 },
    });
  });

  it('refuses what is no gzip, or breaks off in it', async () => {
    const gzip = { 'content-encoding': 'gzip' };
    expectProblem(await importOf(products('NOZIP', 1, 1), gzip), 400, 'malformed-request');
    const cut = gzipSync(products('CUT', 1, 150), { level: 0 }).subarray(0, -20);
    const lines = linesOf((await importOf(cut, gzip)).text);
    expect(lines.at(-1)).toMatchObject({ problem: { type: '/problems/malformed-request' } });
    // What has an outcome is done, and what has none is not.
    expect(await countOf('CUT')).toEqual({ products: 100, events: 100 });
    expect(lines).toHaveLength(101);
  });
});

describe('an import by other methods of the batch', () => {
  it('upserts, replaces and patches, each line with its own target and precondition', async () => {
    const by = async (method: string, lines: readonly unknown[]) => {
      const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      const reply = await send(catalog.url, method, '/products/import', { body, headers: ndjson });
      return linesOf(reply.text).map(({ line, status, etag }) => [line, status, etag]);
    };
    const end = [undefined, undefined, undefined];
    const data = { sku: 'KIND-1', name: 'N' };
    expect(
      await by('PUT', [
        { upsert: true, data },
        { upsert: true, data: { ...data, name: 'M' } },
        { if_match: '"1"', data },
        { data },
      ]),
    ).toEqual([[1, 201, '"1"'], [2, 200, '"2"'], [3, 412, undefined], [4, 428, undefined], end]);
    expect(
      await by('PATCH', [
        { sku: 'KIND-1', if_match: '"2"', patch: { name: 'O' } },
        { sku: 'KIND-2', if_match: '*', patch: { name: 'O' } },
      ]),
    ).toEqual([[1, 200, '"3"'], [2, 404, undefined], end]);
    const remove = await send(catalog.url, 'DELETE', '/products/import', {
      body: '{}',
      headers: ndjson,
    });
    expect(remove.status).toBe(405);
  });

  it('takes what an export gave, put into the envelope of an upsert', async () => {
    const exported = linesOf((await send(catalog.url, 'GET', '/products/export')).text);
    const body = exported
      .filter((line) => 'id' in line)
      .map(({ id, version: _version, created_at: _created, updated_at: _updated, ...data }) =>
        JSON.stringify({ id, upsert: true, data }),
      )
      .join('\n');
    const reply = await send(catalog.url, 'PUT', '/products/import', { body, headers: ndjson });
    const count = exported.length - 2;
    expect(linesOf(reply.text).at(-1)).toEqual({
      end: { lines: count, succeeded: count, failed: 0, repeated: 0 },
    });
    // It is the same state, so nothing was written.
    const again = linesOf((await send(catalog.url, 'GET', '/products/export')).text);
    expect(again.slice(1, -1)).toEqual(exported.slice(1, -1));
  });
});

describe('an import that is sent again under its key', () => {
  it('goes on where its connection broke, and does nothing twice', async () => {
    const headers = { 'idempotency-key': 'broken-1' };
    const body = products('AGAIN', 1, 450);
    const open = openImport(catalog.url, headers);
    await open.write(body.slice(0, body.indexOf('{"sku":"AGAIN-351"')));
    await eventually(async () => {
      const { products: done } = (await countOf('AGAIN')) as { products: number };
      return done >= 200;
    });
    open.request.destroy();
    // Nothing of the chunk that did not come whole.
    await eventually(
      async () => (await metric(catalog.service.adminPort, 'catalog_streams_under_way')) === 0,
    );
    expect(((await countOf('AGAIN')) as { products: number }).products % 100).toBe(0);
    const lines = linesOf((await importOf(body, headers)).text);
    const { end } = lines.at(-1) as { end: { repeated: number } };
    expect(end).toMatchObject({ lines: 450, succeeded: 450, failed: 0 });
    expect(end.repeated).toBeGreaterThanOrEqual(200);
    expect(end.repeated).toBeLessThanOrEqual(300);
    expect(await countOf('AGAIN')).toEqual({ products: 450, events: 450 });
    const again = linesOf(
      (await importOf(gzipSync(body), { ...headers, 'content-encoding': 'gzip' })).text,
    );
    expect(again.slice(0, -1)).toEqual(lines.slice(0, -1));
    expect(again.at(-1)).toMatchObject({ end: { repeated: 450 } });
    expect(await countOf('AGAIN')).toEqual({ products: 450, events: 450 });
  });

  it('is refused where it differs, and has done what was the same', async () => {
    const headers = { 'idempotency-key': 'different-1' };
    await importOf(products('DIFFERS', 1, 200), headers);
    const other = await importOf(products('OTHER', 1, 200), headers);
    expectProblem(other, 400, 'idempotency-key-reused');
    const lines = linesOf(
      (await importOf(products('DIFFERS', 1, 100) + products('OTHER', 1, 100), headers)).text,
    );
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toMatchObject({ problem: { type: '/problems/idempotency-key-reused' } });
    expect(await countOf('OTHER')).toEqual({ products: 0, events: 0 });
  });
});

describe('the time of a stream', () => {
  it('is as long as it flows, and silence ends it', async () => {
    const open = openImport(hasty);
    const startedAt = performance.now();
    // Longer than any other request may take to arrive.
    for (let i = 1; performance.now() - startedAt < 1_500; i++) {
      await open.write(products('SLOW', i, i));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await open.write(products('SLOW', 1_000, 1_100));
    const { text, isWhole } = await open.rest();
    const lines = linesOf(text);
    expect(lines.at(-1)).toMatchObject({ problem: { type: '/problems/request-timeout' } });
    expect(lines.length).toBe(101);
    expect(isWhole).toBe(true);
  });

  it('is 408 where nothing came at all', async () => {
    const answer = await sendRaw(
      Number(new URL(hasty).port),
      'POST /products/import HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('/problems/request-timeout');
  });

  it('ends where its caller takes no answer, and what he sends is not read meanwhile', async () => {
    const socket = connect(Number(new URL(hasty).port), '127.0.0.1');
    socket.on('error', () => undefined).pause();
    socket.write(
      'POST /products/import HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    // Its outcome is larger than the line.
    const line =
      '{"sku":1,"name":1,"brand":1,"category":1,"description":1,"status":1,"price":1,"attributes":1}\n';
    const bad = line.repeat(1_000);
    const chunk = `${bad.length.toString(16)}\r\n${bad}\r\n`;
    // Until it is not read any more; a socket that was ended takes nothing either.
    while (socket.writableLength < 1_000_000) {
      socket.write(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.bytesRead).toBe(0);
    await eventually(
      async () => (await metric(hastyAdminPort, 'catalog_streams_under_way')) === 0,
      { timeoutMs: 60_000 },
    );
    socket.destroy();
  });
});

describe('memory', () => {
  it('does not grow with what comes: a line without end, a bomb, and any number of lines', async () => {
    // Less than comes here: what bounds whole bodies is not for streams.
    const service = await catalog.startAnother({ bodiesInFlightBytes: '65536' });
    const url = `http://127.0.0.1:${service.port}`;
    // Megabytes that are kilobytes as gzip: one line, and empty ones.
    const bomb = gzipSync(Buffer.alloc(30_000_000, 'x'), { level: 1 });
    const empty = gzipSync(Buffer.alloc(4_000_000, '\n'), { level: 1 });
    let most = 0;
    let isDone = false;
    const watch = (async () => {
      while (!isDone) {
        most = Math.max(most, await metric(service.adminPort, 'catalog_streams_held_bytes'));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const body = Buffer.concat([bomb, empty, gzipSync('{"name":1}\n'.repeat(5_000))]);
    const reply = await importOf(
      body,
      { 'content-encoding': 'gzip', prefer: 'return=minimal' },
      url,
    );
    isDone = true;
    await watch;
    expect(body.length).toBeGreaterThan(100_000);
    const lines = linesOf(reply.text);
    expect(lines[0]).toMatchObject({ line: 1, status: 413 });
    expect(lines.at(-1)).toEqual({
      end: { lines: 5_001, succeeded: 0, failed: 5_001, repeated: 0 },
    });
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(1_500_000);
    expect(await metric(service.adminPort, 'catalog_streams_held_bytes')).toBe(0);
  });

  it('has a place for so many imports, and no more', async () => {
    const open = [openImport(hasty), openImport(hasty)];
    for (const each of open) await each.write(products('PLACE', 1, 1));
    await eventually(async () => {
      expectProblem(await importOf('{}', {}, hasty), 503, 'overloaded');
      return true;
    });
    for (const each of open) each.request.destroy();
    await eventually(async () => (await importOf('{}', {}, hasty)).status === 207);
  });
});

describe('a caller with a token', () => {
  it('imports with his scope, and has half of the places', async () => {
    const service = await catalog.startAnother({ ...callers.settings, maxImports: '2' });
    const url = `http://127.0.0.1:${service.port}`;
    const anna = await callers.callerOf('anna', url);
    const reply = await anna('POST', '/products/import', {
      body: products('ANNA', 1, 3),
      headers: ndjson,
    });
    expect(linesOf(reply.text).at(-1)).toMatchObject({ end: { succeeded: 3 } });
    expectProblem(await importOf('{}', {}, url), 401, 'unauthenticated');
  });
});
