import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { parseRaw, send } from './test-support/http-client.ts';

/** What callers can make the service hold is bounded (I9): pages in bytes, slow readers and slow writers in bytes and time. */
const largeCount = 160;
const kilobyte = 1_024;
let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
  // Half of them compress well, half do not; then many that are small.
  await catalog.admin.query(`
    insert into product (id, sku, name, description, attributes, status, version)
    select format('019376e4-8c3a-7c7e-a1b2-%s', lpad(to_hex(i), 12, '0'))::uuid, 'LARGE-' || i, 'N', null,
      json_build_object('a', case when i % 2 = 0 then repeat('x', 64000)
        else (select string_agg(md5(i || '-' || part), '') from generate_series(1, 2000) part) end),
      'ACTIVE', 1
    from generate_series(1, ${largeCount}) i
    union all
    select format('019376e4-8c3a-7c7e-a1b3-%s', lpad(to_hex(i), 12, '0'))::uuid, 'SMALL-' || i, 'N', repeat(E'\\n', 4000), '{}', 'DRAFT', 1
    from generate_series(1, 300) i`);
});
afterAll(() => catalog.close());

interface Page {
  readonly prev?: string;
  readonly next?: string;
  readonly items: readonly { readonly sku: string }[];
}

async function walk(base: string, path: string, step: 'next' | 'prev') {
  const pages: { readonly bytes: number; readonly page: Page; readonly path: string }[] = [];
  for (let at: string | undefined = path; at !== undefined; at = pages.at(-1)?.page[step]) {
    const reply = await send(base, 'GET', at);
    expect(reply.status).toBe(200);
    pages.push({
      bytes: reply.text.length,
      page: reply.json as unknown as Page,
      path: at,
    });
  }
  return pages;
}

describe('a page', () => {
  it('ends before it is larger than its bytes, and its neighbours go on there: each product is on one page', async () => {
    const forth = await walk(catalog.url, '/products?limit=1000', 'next');
    const skus = forth.flatMap(({ page }) => page.items.map(({ sku }) => sku));
    expect(new Set(skus).size).toBe(largeCount + 300);
    expect(skus).toHaveLength(largeCount + 300);
    // The budget, and one entity that began before it.
    for (const { bytes } of forth) expect(bytes).toBeLessThan(1_024 * kilobyte + 80 * kilobyte);
    // It is used, too.
    for (const { bytes } of forth.slice(0, -1)) expect(bytes).toBeGreaterThan(900 * kilobyte);
    const back = await walk(catalog.url, forth.at(-1)?.page.prev ?? '', 'prev');
    const before = back.reverse().flatMap(({ page }) => page.items.map(({ sku }) => sku));
    expect(before).toEqual(skus.slice(0, before.length));
    expect(before).toHaveLength(skus.length - (forth.at(-1)?.page.items.length ?? 0));
  });

  it('has one product at the least, however large', async () => {
    const service = await catalog.startAnother({ pageBytes: '1024' });
    const base = `http://127.0.0.1:${service.port}`;
    const pages = await walk(base, '/products?limit=3&sku=LARGE-1', 'next');
    expect(pages.map(({ page }) => page.items.length)).toEqual([1]);
    const two = await send(base, 'GET', '/products?limit=3&status=ACTIVE');
    expect(two.json['items']).toHaveLength(1);
    expect(two.json['next']).toEqual(expect.any(String));
  });
});

describe('answers that nobody takes', () => {
  it('are ended in time, and while they hold all the room what reads is told to come back', async () => {
    const service = await catalog.startAnother({
      pageBytes: String(16_384 * kilobyte),
      answersInFlightBytes: String(8_192 * kilobyte),
      answerTimeoutMs: '20000',
    });
    const base = `http://127.0.0.1:${service.port}`;
    const reader = connect(service.port, '127.0.0.1');
    reader.on('error', () => undefined).pause();
    await once(reader, 'connect');
    // The kernel takes some megabytes in our place; one page more than that, and there is no room for another.
    await eventually(async () => {
      reader.write('GET /products?limit=1000&status=ACTIVE HTTP/1.1\r\nhost: a\r\n\r\n');
      const refused = await send(base, 'GET', '/products?limit=1');
      expectProblem(refused, 503, 'overloaded');
      expect(refused.headers.get('retry-after')).toBe('1');
      return true;
    });
    // A single product has room, and a change is made all the same.
    expect((await send(base, 'GET', '/products/019376e4-8c3a-7c7e-a1b3-000000000001')).status).toBe(
      200,
    );
    const body = `{"sku":"DURING","name":"N"}`;
    expect((await send(base, 'POST', '/products', { body })).status).toBe(201);
    // It is the reader that is ended, though it has done nothing.
    await eventually(async () => (await send(base, 'GET', '/products?limit=1')).status === 200, {
      timeoutMs: 30_000,
    });
    const closed = once(reader, 'close');
    reader.resume();
    await closed;
  });

  it('whoever reads gets all of a page that is larger than the room', async () => {
    const service = await catalog.startAnother({
      pageBytes: String(16_384 * kilobyte),
      answersInFlightBytes: String(64 * kilobyte),
    });
    const reply = await send(
      `http://127.0.0.1:${service.port}`,
      'GET',
      '/products?limit=1000&status=ACTIVE',
    );
    expect(reply.json['items']).toHaveLength(largeCount);
  });
});

describe('bodies that do not end', () => {
  it('are refused when they are too much together, the largest first; who sends little is served', async () => {
    const service = await catalog.startAnother({ bodiesInFlightBytes: String(256 * kilobyte) });
    const sizes = [60, 100, 80];
    const senders = await Promise.all(
      sizes.map(async (size) => {
        const socket = connect(service.port, '127.0.0.1');
        const answer: Buffer[] = [];
        socket.on('data', (chunk: Buffer) => answer.push(chunk)).on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(
          `POST /products/batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${500 * kilobyte}\r\n\r\n${' '.repeat(size * kilobyte)}`,
        );
        return { socket, text: () => Buffer.concat(answer).toString() };
      }),
    );
    const body = `{"sku":"LITTLE","name":"N"}`;
    const base = `http://127.0.0.1:${service.port}`;
    expect((await send(base, 'POST', '/products', { body })).status).toBe(201);
    const [first, second, third] = senders;
    // 60 + 100 + 80 + 20 is one step too many.
    first?.socket.write(' '.repeat(20 * kilobyte));
    await eventually(() => {
      const refused = parseRaw(second?.text() ?? '');
      expectProblem(refused, 503, 'overloaded');
      expect(refused.headers.get('retry-after')).toBe('1');
      expect(refused.headers.get('connection')).toBe('close');
      return true;
    });
    expect([first?.text(), third?.text()]).toEqual(['', '']);
    for (const { socket } of senders) socket.destroy();
    const large = `{"sku":"AFTER","name":"N","attributes":{"a":"${'x'.repeat(60 * kilobyte)}"}}`;
    expect((await send(base, 'POST', '/products', { body: large })).status).toBe(201);
  });
});
