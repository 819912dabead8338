import { createDatabase } from '@outbound/outbox';
import { systemClock } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetExpired } from './catalog/idempotency.ts';
import { inSteps } from './in-steps.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const post = (body: string, key: string, path = '/products', base = catalog.url) =>
  send(base, 'POST', path, { body, headers: { 'idempotency-key': key } });
const rowsAndEvents = async (sku: string) => {
  const { rows } = await catalog.admin.query<{ products: number; events: number }>(
    `select (select count(*)::int from product where sku = $1) as products,
      (select count(*)::int from outbox where payload::json->'data'->>'sku' = $1) as events`,
    [sku],
  );
  return rows[0];
};

describe('an Idempotency-Key', () => {
  it('gives the first answer again: status, headers and every byte of the body', async () => {
    const body = '{"sku":"ONCE","name":"N","attributes":{"n":1.50}}';
    const first = await post(body, 'once');
    const second = await post(body, 'once');
    expect(second.status).toBe(201);
    expect(second.text).toBe(first.text);
    expect(first.headers.get('idempotent-replayed')).toBe(null);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    for (const name of ['etag', 'location', 'content-type'])
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    expect(await rowsAndEvents('ONCE')).toEqual({ products: 1, events: 1 });
  });

  it('lets concurrent twins, also at two instances, make one product, one event and one answer', async () => {
    const other = await catalog.startAnother();
    const bases = [catalog.url, `http://127.0.0.1:${other.port}`];
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        post('{"sku":"TWIN","name":"N"}', 'twin', '/products', bases[index % 2]),
      ),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(await rowsAndEvents('TWIN')).toEqual({ products: 1, events: 1 });
  });

  it('does not remember a request that failed', async () => {
    await post('{"sku":"BUSY","name":"N"}', 'first');
    expect((await post('{"sku":"BUSY","name":"M"}', 'failed')).status).toBe(409);
    await catalog.admin.query("delete from product where sku = 'BUSY'");
    expect((await post('{"sku":"BUSY","name":"M"}', 'failed')).status).toBe(201);
  });

  it('of one path means nothing at another', async () => {
    expect((await post('{"sku":"PATH","name":"N"}', 'path')).status).toBe(201);
    expect((await post('{"code":"path","name":"N"}', 'path', '/categories')).status).toBe(201);
  });

  it('may be used for another request after 24 hours', async () => {
    await post('{"sku":"DAY","name":"N"}', 'day');
    await catalog.admin.query(
      "update idempotency_key set created_at = now() - interval '24 hours 1 second' where key = 'day'",
    );
    expect((await post('{"sku":"NEXT-DAY","name":"N"}', 'day')).status).toBe(201);
  });

  it('of 255 visible characters is taken', async () => {
    expect((await post('{"sku":"LONG","name":"N"}', '~'.repeat(255))).status).toBe(201);
  });
});

describe('an Idempotency-Key on a change', () => {
  const change = (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
    base = catalog.url,
  ) =>
    send(base, method, path, {
      ...(body === undefined ? {} : { body }),
      headers: {
        ...headers,
        ...(method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {}),
      },
    });
  /** A new product at version 1; gives its path. */
  const create = async (sku: string) => {
    const { json } = await post(`{"sku":"${sku}","name":"N"}`, `create ${sku}`.replace(' ', '-'));
    return `/products/${String(json['id'])}`;
  };
  const events = async (path: string) => {
    const { rows } = await catalog.admin.query<{ op: string }>(
      'select data_op as op from outbox where aggregateid = $1 order by version',
      [path.replace('/products/', '')],
    );
    return rows.map(({ op }) => op).join('');
  };
  const chosen = '019376e4-8c3a-7c7e-a1b2-0123456789ab';

  it.each([
    ['PUT', '"1"', '{"sku":"KEY-PUT","name":"M","attributes":{"n":1.50}}', 200, 'CU'],
    ['PATCH', '"1"', '{"attributes":{"n":1.50}}', 200, 'CU'],
    ['DELETE', '"1"', undefined, 204, 'CD'],
  ])(
    'gives the first answer to %s again, although its precondition holds no more',
    async (method, tag, body, status, ops) => {
      const path = await create(`KEY-${method}`);
      const headers = { 'if-match': tag, 'idempotency-key': `change-${method}` };
      const first = await change(method, path, headers, body);
      const second = await change(
        method,
        path.toUpperCase().replace('PRODUCTS', 'products'),
        headers,
        body,
      );
      expect([first.status, second.status]).toEqual([status, status]);
      expect(second.text).toBe(first.text);
      for (const name of ['etag', 'content-type'])
        expect(second.headers.get(name)).toBe(first.headers.get(name));
      expect(first.headers.get('idempotent-replayed')).toBe(null);
      expect(second.headers.get('idempotent-replayed')).toBe('true');
      expect(await events(path)).toBe(ops);
    },
  );

  it('gives the first answer to a PUT that created again: 201 and its Location', async () => {
    const headers = { 'if-none-match': '*', 'idempotency-key': 'put-new' };
    const put = () => change('PUT', `/products/${chosen}`, headers, '{"sku":"KEY-NEW","name":"N"}');
    const [first, second] = [await put(), await put()];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect(await events(`/products/${chosen}`)).toBe('C');
  });

  it('lets concurrent twins, also at two instances, make one change and one event', async () => {
    const path = await create('KEY-TWINS');
    const other = await catalog.startAnother();
    const bases = [catalog.url, `http://127.0.0.1:${other.port}`];
    const headers = { 'if-match': '"1"', 'idempotency-key': 'twin-patch' };
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        change('PATCH', path, headers, '{"name":"M"}', bases[index % 2]),
      ),
    );
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(await events(path)).toBe('CU');
  });

  it('is refused with another body, precondition or path, and nothing is done', async () => {
    const path = await create('KEY-REUSED');
    const other = await create('KEY-REUSED-2');
    const headers = { 'if-match': '"1"', 'idempotency-key': 'reused' };
    expect((await change('PATCH', path, headers, '{"name":"M"}')).status).toBe(200);
    for (const reply of [
      await change('PATCH', path, headers, '{"name":"O"}'),
      await change('PATCH', path, { ...headers, 'if-match': '"2"' }, '{"name":"M"}'),
      await change('PATCH', other, headers, '{"name":"M"}'),
    ])
      expectProblem(reply, 400, 'idempotency-key-reused');
    expect(await events(path)).toBe('CU');
    expect(await events(other)).toBe('C');
  });

  it('does not remember a change that failed', async () => {
    const path = await create('KEY-FAILED');
    const headers = { 'if-match': '"2"', 'idempotency-key': 'failed-patch' };
    expectProblem(await change('PATCH', path, headers, '{"name":"M"}'), 412, 'precondition-failed');
    const first = { 'if-match': '"1"', 'idempotency-key': 'failed-first' };
    expect((await change('PATCH', path, first, '{"name":"O"}')).status).toBe(200);
    expect((await change('PATCH', path, headers, '{"name":"M"}')).status).toBe(200);
    expect(await events(path)).toBe('CUU');
  });

  it('is looked at before it is taken for none', async () => {
    const path = await create('KEY-BAD');
    const headers = { 'if-match': '"1"', 'idempotency-key': 'two words' };
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      expectProblem(
        await change(
          method,
          path,
          headers,
          method === 'DELETE' ? undefined : '{"sku":"A","name":"N"}',
        ),
        400,
        'invalid-header',
      );
  });
});

describe('where transactions are repeatable read by default', () => {
  it('twins with one Idempotency-Key still make one product, one event and one answer', async () => {
    const database = new URL(catalog.adminUrl).pathname.slice(1);
    const isolation = (level: string) =>
      catalog.admin.query(
        `alter database "${database}" set default_transaction_isolation = '${level}'`,
      );
    await isolation('repeatable read');
    try {
      const fresh = await catalog.startAnother();
      const replies = await Promise.all(
        Array.from({ length: 8 }, () =>
          post('{"sku":"RR","name":"N"}', 'rr', '/products', `http://127.0.0.1:${fresh.port}`),
        ),
      );
      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 201));
      expect(await rowsAndEvents('RR')).toEqual({ products: 1, events: 1 });
    } finally {
      await isolation('read committed');
    }
  });
});

describe('forgetting', () => {
  let pool: pg.Pool;
  let context: Parameters<typeof forgetExpired>[0];
  beforeAll(() => {
    pool = new pg.Pool({ connectionString: catalog.apiUrl });
    context = { db: createDatabase(pool), timeouts: () => Promise.resolve(undefined) };
  });
  afterAll(() => pool.end());

  it('forgets what is older than 24 hours, a bounded number at a time, oldest first', async () => {
    await catalog.admin.query(
      `insert into idempotency_key (scope, key, request_hash, response_status, created_at)
       select 'S', 'old-' || n, sha256('x'), 201, now() - interval '25 hours' - n * interval '1 minute'
       from generate_series(1, 5) n`,
    );
    const step = forgetExpired(context, new Date(), 2);
    expect(await step()).toBe(2);
    const { rows } = await catalog.admin.query<{ key: string }>(
      "select key from idempotency_key where scope = 'S' order by key",
    );
    expect(rows.map(({ key }) => key)).toEqual(['old-1', 'old-2', 'old-3']);
    expect([await step(), await step(), await step()]).toEqual([2, 1, 0]);
  });

  it('goes on as long as there is something, and forgets nothing that is younger', async () => {
    await catalog.admin.query(
      `insert into idempotency_key (scope, key, request_hash, response_status, created_at)
       select 'M', 'old-' || n, sha256('x'), 201, now() - interval '24 hours 1 second' - (n / 700) * interval '1 second'
       from generate_series(1, 5500) n`,
    );
    await post('{"sku":"YOUNG","name":"N"}', 'young');
    const { signal } = new AbortController();
    const steps = { limit: 1_000, budgetMs: 60_000, clock: systemClock, signal };
    expect(await inSteps(forgetExpired(context, new Date(), 1_000), steps)).toBe(5_500);
    expect((await post('{"sku":"YOUNG","name":"N"}', 'young')).status).toBe(201);
  });
});
