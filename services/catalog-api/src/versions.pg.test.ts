import { createDatabase } from '@outbound/outbox';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { purgeDeleted } from './catalog/purge.ts';
import { productAggregate } from './products/product-aggregate.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

interface Version {
  readonly version: number;
  readonly operation: string;
  readonly occurred_at: string;
  readonly data: { readonly name: string; readonly price?: { readonly amount: number } };
}
interface Page {
  readonly first: string;
  readonly next?: string;
  readonly kept_since?: string;
  readonly items: readonly Version[];
}

let catalog: TestCatalog;
let count = 0;
beforeAll(async () => {
  catalog = await startCatalog({ pageBytes: '65536' });
});
afterAll(() => catalog?.close());

const call = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
  send(catalog.url, method, path, { ...(body === undefined ? {} : { body }), headers });
const page = async (path: string): Promise<Page> => {
  const reply = await call('GET', path);
  expect(reply.status, reply.text).toBe(200);
  return reply.json as unknown as Page;
};
const create = async (more = '') => {
  const reply = await call('POST', '/products', `{"sku":"V-${(count += 1)}","name":"N"${more}}`);
  expect(reply.status).toBe(201);
  return { id: String(reply.json['id']), path: `/products/${String(reply.json['id'])}`, reply };
};
const patch = async (path: string, body: string) => {
  const headers = { 'if-match': '*', 'content-type': 'application/merge-patch+json' };
  const reply = await call('PATCH', path, body, headers);
  expect(reply.status).toBe(200);
  return reply;
};
const shown = ({ items }: Page) =>
  items.map(({ version, operation, data }) => `${operation} ${version} ${data.name}`);

describe('the versions of an entity', () => {
  it('are what it was, newest first, each as it was answered to the byte, its deletion too', async () => {
    const { path, reply } = await create(',"price":{"amount":1.50,"currency":"EUR"}');
    const texts = [reply.text];
    for (const amount of ['2.00', '2.5', '12345678.9000'])
      texts.unshift((await patch(path, `{"price":{"amount":${amount}}}`)).text);
    const { text } = await call('GET', `${path}/versions`);
    const at = texts.map((each) => text.indexOf(`"data":${each}}`));
    expect(at.every((place, index) => place > (at[index - 1] ?? 0))).toBe(true);

    await call('DELETE', path, undefined, { 'if-match': '*' });
    const history = await page(`${path}/versions`);
    expect(shown(history)).toEqual(['D 5 N', 'U 4 N', 'U 3 N', 'U 2 N', 'C 1 N']);
    expect(history.next).toBeUndefined();
    expect(Date.parse(history.items[0]?.occurred_at ?? '')).toBeGreaterThan(Date.now() - 600_000);
  });

  it('are walked page by page, by rows and by bytes, each once; other kinds and entities are not among them', async () => {
    const { id, path } = await create();
    await create();
    await catalog.admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
       values (gen_random_uuid(), 'catalog.category', $1, 'catalog.category-change', 1, 'C', '{"data":{}}')`,
      [id],
    );
    for (let n = 2; n <= 7; n += 1)
      await patch(path, `{"name":"N${n}","description":"${'d'.repeat(3_990)}"}`);
    const walk = async (limit: number) => {
      const pages: Page[] = [];
      let link: string | undefined = `${path}/versions?limit=${limit}`;
      for (; link !== undefined; link = pages.at(-1)?.next) pages.push(await page(link));
      return pages;
    };
    const byRows = await walk(3);
    expect(byRows.map(({ items }) => items.length)).toEqual([3, 3, 1]);
    expect(byRows.flatMap(({ items }) => items).map(({ version }) => version)).toEqual([
      ...[7, 6, 5, 4, 3, 2, 1],
    ]);
    for (let n = 0; n < 12; n += 1)
      await patch(path, `{"name":"M${n}","attributes":{"a":"${'a'.repeat(16_000)}${n}"}}`);
    const byBytes = await walk(1_000);
    expect(byBytes.length).toBeGreaterThan(2);
    expect(byBytes.flatMap(({ items }) => items).map(({ version }) => version)).toEqual(
      Array.from({ length: 19 }, (_, n) => 19 - n),
    );
  });

  it('have the fields that were asked for, each as it was written, over all pages', async () => {
    const { path, reply } = await create(',"price":{"amount":1.50,"currency":"EUR"}');
    const patched = await patch(path, '{"price":{"amount":12345678.9000}}');
    const chosen = (whole: string, version: number): string =>
      `"data":{${/"price":\{[^}]*\}/.exec(whole)?.[0]},"version":${version}}}]`;
    const { text } = await call('GET', `${path}/versions?fields=(version,price)&limit=1`);
    expect(text).toContain(chosen(patched.text, 2));
    const { next = '', first } = JSON.parse(text) as Page;
    expect(new URL(first, catalog.url).searchParams.get('fields')).toBe('(price,version)');
    expect((await call('GET', next)).text).toContain(chosen(reply.text, 1));
  });

  it('count each version once, whatever was written again, and a snapshot only where its change is gone', async () => {
    const { id, path } = await create();
    await patch(path, '{"name":"second"}');
    const again = (version: number, dataOp: string, name: string, headers: string) =>
      catalog.admin.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
         select gen_random_uuid(), aggregatetype, aggregateid, type, $2, $3, replace(payload::text, '"second"', '"' || $4 || '"')::json, $5
         from outbox where aggregateid = $1 and version = 2 and data_op = 'U' limit 1`,
        [id, version, dataOp, name, headers],
      );
    await again(2, 'S', 'snapshot', '{}');
    await again(2, 'U', 'second', '{"outbound_redrive":"1 0/1"}');
    await again(3, 'S', 'newest', '{}');
    await again(9, 'S', 'none', '{"outbound_discard":"1 0/1"}');
    expect(shown(await page(`${path}/versions`))).toEqual(['S 3 newest', 'U 2 second', 'C 1 N']);
    const first = await page(`${path}/versions?limit=1`);
    expect(shown(await page(first.next ?? ''))).toEqual(['U 2 second']);
  });

  it('say from when on none is missing', async () => {
    const { path } = await create();
    const { rows } = await catalog.admin.query<{ since: Date }>(
      'select min(lower_bound) as since from outbox_partition',
    );
    const { kept_since: since = '' } = await page(`${path}/versions`);
    expect(new Date(since)).toEqual(rows[0]?.since);
  });

  it('of one that was purged or erased, or never was, are none; a cursor of another one is refused', async () => {
    const { id, path } = await create();
    const other = await create();
    await patch(path, '{"name":"second"}');
    const { next = '' } = await page(`${path}/versions?limit=1`);
    for (const query of [new URL(next, catalog.url).search, '?cursor=abc', '?cursor='])
      expectProblem(await call('GET', `${other.path}/versions${query}`), 400, 'invalid-cursor');
    expectProblem(await call('GET', `${path}/versions?fields=x`), 400, 'validation-failed');
    await catalog.admin.query('select product_erase($1)', [id]);
    for (const gone of [path, `/products/${uuidv7()}`])
      expectProblem(await call('GET', `${gone}/versions`), 404, 'not-found');
  });

  it('of one that was erased and created again are those since, though the outbox still has the others', async () => {
    const { id, path } = await create();
    await patch(path, '{"name":"a person"}');
    await patch(path, '{"name":"a person still"}');
    const { next = '' } = await page(`${path}/versions?limit=1`);
    await catalog.admin.query('select product_erase($1)', [id]);
    const again = await call('PUT', path, `{"sku":"V-again","name":"again"}`, {
      'if-none-match': '*',
    });
    expect(again.status).toBe(201);
    expect(shown(await page(`${path}/versions`))).toEqual(['C 5 again']);
    expect(shown(await page(next))).toEqual([]);
  });

  it('of one whose data was dropped after its days and that was created again are those since, though the outbox still has the others', async () => {
    const { path } = await create();
    await patch(path, '{"name":"a person"}');
    const { next = '' } = await page(`${path}/versions?limit=1`);
    await call('DELETE', path, undefined, { 'if-match': '*' });
    const api = new pg.Pool({ connectionString: catalog.apiUrl });
    try {
      const context = { db: createDatabase(api), timeouts: () => Promise.resolve(undefined) };
      await purgeDeleted(context, productAggregate, new Date(Date.now() + 60_000), 1_000);
    } finally {
      await api.end();
    }
    expectProblem(await call('GET', `${path}/versions`), 404, 'not-found');
    const again = await call('PUT', path, `{"sku":"V-purged","name":"again"}`, {
      'if-none-match': '*',
    });
    expect(again.status).toBe(201);
    expect(shown(await page(`${path}/versions`))).toEqual(['C 4 again']);
    expect(shown(await page(next))).toEqual([]);
    await patch(path, '{"name":"later"}');
    await call('DELETE', path, undefined, { 'if-match': '*' });
    await call('PUT', path, `{"sku":"V-purged","name":"once more"}`, { 'if-none-match': '*' });
    expect(shown(await page(`${path}/versions`))).toEqual([
      ...['C 7 once more', 'D 6 later', 'U 5 later', 'C 4 again'],
    ]);
  });

  it('are found by the index, in each partition alone', async () => {
    const { id } = await create();
    await catalog.admin.query('set enable_seqscan = off');
    const { rows } = await catalog.admin.query<{ 'QUERY PLAN': string }>(
      `explain select version, data_op, payload from outbox where aggregateid = '${id}' and version < 9223372036854775807
       and aggregatetype = 'catalog.product' and type = 'catalog.product-change' and headers ->> 'outbound_discard' is null
       order by version desc, data_op = 'S', created_at limit 404`,
    );
    await catalog.admin.query('reset enable_seqscan');
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('aggregateid_version_idx');
    expect(plan).not.toContain('Seq Scan');
  });
});
