import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchClient } from './test-support/batch-client.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { tablesAsText } from './test-support/expect-problem.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const { batch, resultsOf, told, create, read, eventsOf } = batchClient(() => catalog);

describe('items that name an entity', () => {
  it('are changed under the precondition of each, by id or by sku, with one event each', async () => {
    const [a = '', b = '', c = ''] = await create('IT-A', 'IT-B', 'IT-C');
    const reply = await batch('PATCH', [
      { id: a, if_match: '"1"', patch: { name: 'A2' } },
      { sku: 'IT-B', if_match: '*', patch: { name: 'B2', brand: null } },
      { id: c.toUpperCase(), if_match: '"7"', patch: { name: 'C2' } },
    ]);
    expect(reply.status).toBe(207);
    expect(told(reply)).toEqual(['200 "2"', '200 "2"', '412 precondition-failed']);
    expect(resultsOf(reply).map(({ id }) => id)).toEqual([a, b, undefined]);
    expect(await eventsOf(a)).toEqual(['C1 N', 'U2 A2']);
    expect(await eventsOf(b)).toEqual(['C1 N', 'U2 B2']);
    expect(await eventsOf(c)).toEqual(['C1 N']);
    const { rows } = await catalog.admin.query<{ data: string }>(
      "select payload::json->>'data' as data from outbox where aggregateid = $1 and version = 2",
      [a],
    );
    expect(rows[0]?.data).toBe((await read(a)).text);
    const deleted = await batch('DELETE', [
      { id: a, if_match: '"2"' },
      { sku: 'IT-B', if_match: '"1"' },
      { sku: 'IT-C', if_match: '*' },
    ]);
    expect(told(deleted)).toEqual(['204', '412 precondition-failed', '204']);
    expect((await read(a)).status).toBe(404);
    expect(await eventsOf(c)).toEqual(['C1 N', 'D2 N']);
  });

  it('are put by sku: replaced, created under a new id, or whatever is there', async () => {
    const [here = '', gone = ''] = await create('UP-HERE', 'UP-GONE');
    await batch('DELETE', [{ id: gone, if_match: '*' }]);
    const put = (sku: string, name: string, how: object) => ({ ...how, data: { sku, name } });
    const reply = await batch('PUT', [
      put('UP-HERE', 'H2', { upsert: true }),
      put('UP-NEW', 'New', { upsert: true }),
      put('UP-GONE', 'Again', { upsert: true }),
      put('UP-HERE', 'H3', { if_match: '"1"' }),
      put('UP-HERE', 'H3', { if_match: '"2"' }),
      put('UP-HERE', 'H4', { if_none_match: '*' }),
      put('UP-NONE', 'x', { if_match: '*' }),
      put('UP-FIRST', 'First', { if_none_match: '*' }),
      put('UP-NEW', 'New', { upsert: true }),
    ]);
    expect(told(reply)).toEqual([
      '200 "2"',
      '201 "1"',
      '201 "1"',
      '412 precondition-failed',
      '200 "3"',
      '412 precondition-failed',
      '412 precondition-failed',
      '201 "1"',
      '200 "1"',
    ]);
    const results = resultsOf(reply);
    expect([results[0]?.id, results[4]?.id]).toEqual([here, here]);
    expect(results[2]?.id).not.toBe(gone);
    expect(results[8]?.id).toBe(results[1]?.id);
    expect(await eventsOf(here)).toEqual(['C1 N', 'U2 H2', 'U3 H3']);
    // In the order of their versions in the log, too: what the relay reads is the order of writing.
    const { rows } = await catalog.admin.query<{ version: string }>(
      'select version from outbox where aggregateid = $1 order by ctid',
      [here],
    );
    expect(rows.map(({ version }) => version)).toEqual(['1', '2', '3']);
  });

  it('are put by id: created under it, or created again with the count going on', async () => {
    const id = '019376e4-8c3a-7c7e-a1b2-0123456789ab';
    const data = { sku: 'BY-ID', name: 'N' };
    const first = await batch('PUT', [
      { id, if_none_match: '*', data },
      { id, if_none_match: '*', data },
      { id: '019376e4-8c3a-4c7e-a1b2-0123456789ab', if_none_match: '*', data },
      { id, upsert: true, data: { ...data, name: 'Two' } },
    ]);
    expect(told(first)).toEqual([
      '201 "1"',
      '412 precondition-failed',
      '400 invalid-id',
      '200 "2"',
    ]);
    await batch('DELETE', [{ id, if_match: '*' }]);
    expect(told(await batch('PUT', [{ id, upsert: true, data }]))).toEqual(['201 "4"']);
    expect(await eventsOf(id)).toEqual(['C1 N', 'U2 Two', 'D3 Two', 'C4 N']);
  });

  it('of another kind have their own key', async () => {
    const path = '/categories/batch';
    const data = { code: 'bulk', name: 'Bulk' };
    expect(told(await batch('PUT', [{ upsert: true, data }], {}, path))).toEqual(['201 "1"']);
    const patched = await batch(
      'PATCH',
      [
        { code: 'bulk', if_match: '"1"', patch: { name: 'More' } },
        { sku: 'bulk', if_match: '"1"', patch: { name: 'More' } },
      ],
      {},
      path,
    );
    expect(told(patched)).toEqual(['200 "2"', '400 validation-failed']);
    expect(told(await batch('DELETE', [{ code: 'bulk', if_match: '"2"' }], {}, path))).toEqual([
      '204',
    ]);
  });
});

describe('items of one batch', () => {
  it('come one after the other where they are about the same entity', async () => {
    const [a = ''] = await create('SAME');
    const reply = await batch('PATCH', [
      { id: a, if_match: '"1"', patch: { attributes: { n: 1 } } },
      { sku: 'SAME', if_match: '"1"', patch: { name: 'late' } },
      { sku: 'SAME', if_match: '"2"', patch: { name: 'Second' } },
      { id: a, if_match: '*', patch: { name: 'Second' } },
      { id: a, if_match: '"3"', patch: { name: 'Third' } },
    ]);
    expect(told(reply)).toEqual([
      '200 "2"',
      '412 precondition-failed',
      '200 "3"',
      '200 "3"',
      '200 "4"',
    ]);
    expect(await eventsOf(a)).toEqual(['C1 N', 'U2 N', 'U3 Second', 'U4 Third']);
    const twice = await batch('DELETE', [
      { id: a, if_match: '*' },
      { id: a, if_match: '*' },
    ]);
    expect(told(twice)).toEqual(['204', '404 not-found']);
  });

  it('take a sku that one before them frees, and are refused one that another takes', async () => {
    const [a = '', b = '', c = ''] = await create('KEY-A', 'KEY-B', 'KEY-C');
    const rename = (id: string, sku: string) => ({ id, if_match: '*', patch: { sku } });
    const reply = await batch('PATCH', [
      rename(c, 'KEY-A'),
      rename(a, 'KEY-D'),
      rename(b, 'KEY-A'),
      rename(c, 'KEY-D'),
      { sku: 'KEY-A', if_match: '*', patch: { name: 'is B now' } },
      { sku: 'KEY-B', if_match: '*', patch: { name: 'nobody' } },
      rename(c, 'KEY-B'),
    ]);
    expect(told(reply)).toEqual([
      '409 conflict',
      '200 "2"',
      '200 "2"',
      '409 conflict',
      '200 "3"',
      '404 not-found',
      '200 "2"',
    ]);
    expect(resultsOf(reply)[0]?.problem?.violations).toEqual([
      { in: 'body', pointer: '/patch/sku', message: 'is taken' },
    ]);
    expect(await eventsOf(b)).toEqual(['C1 N', 'U2 N', 'U3 is B now']);
    const swap = await batch('DELETE', [{ sku: 'KEY-A', if_match: '*' }]);
    expect(resultsOf(swap)[0]?.id).toBe(b);
    const put = await batch('PUT', [
      { id: a, if_match: '*', data: { sku: 'KEY-A', name: 'back' } },
      { upsert: true, data: { sku: 'KEY-D', name: 'free again' } },
      { if_none_match: '*', data: { sku: 'KEY-A', name: 'taken' } },
    ]);
    expect(told(put)).toEqual(['200 "3"', '201 "1"', '412 precondition-failed']);
  });

  it('that change nothing write nothing', async () => {
    const [a = ''] = await create('NOTHING');
    const before = await tablesAsText(catalog.admin);
    const puts = await batch('PUT', [
      { id: a, if_match: '"1"', data: { sku: 'NOTHING', name: 'N' } },
      { upsert: true, data: { sku: 'NOTHING', name: 'N' } },
    ]);
    const patches = await batch('PATCH', [
      { id: a, if_match: '"1"', patch: {} },
      { id: a, if_match: '"1"', patch: { name: 'N' } },
    ]);
    expect([...told(puts), ...told(patches)]).toEqual(Array(4).fill('200 "1"'));
    expect(await tablesAsText(catalog.admin)).toBe(before);
  });

  it('that are refused fail none of their neighbours, and say what is wrong with them', async () => {
    const [a = ''] = await create('BAD');
    const before = await tablesAsText(catalog.admin);
    const bad = await batch('PATCH', [
      { id: a, patch: { name: 'no precondition' } },
      { id: a, if_match: '7', patch: {} },
      { id: 'x', if_match: '*', patch: {} },
      { if_match: '*', patch: {} },
      { id: a, sku: 'BAD', if_match: '*', patch: {} },
      { id: '019376e4-8c3a-7c7e-a1b2-000000000000', if_match: '*', patch: {} },
      { sku: 'UNKNOWN', if_match: '*', patch: {} },
      { id: a, if_match: '*', patch: { name: '', price: { amount: 1 } } },
      { id: a, if_match: '*', patch: { version: 3 } },
      { id: a, if_match: '*', patch: { name: null } },
      { id: a, if_match: '*', patch: { price: { amount: 1 } } },
      { id: a, if_match: '*', name: 'not in patch' },
      7,
    ]);
    expect(told(bad)).toEqual([
      '428 precondition-required',
      '400 validation-failed',
      '400 invalid-id',
      '400 validation-failed',
      '400 validation-failed',
      '404 not-found',
      '404 not-found',
      '400 validation-failed',
      '400 validation-failed',
      '400 validation-failed',
      '400 validation-failed',
      '400 validation-failed',
      '400 validation-failed',
    ]);
    const pointers = resultsOf(bad).map(({ problem }) =>
      problem?.violations?.map(({ pointer }) => pointer),
    );
    expect(pointers).toEqual([
      undefined,
      ['/if_match'],
      ['/id'],
      ['/id'],
      ['/id'],
      undefined,
      undefined,
      ['/patch/name'],
      ['/patch/version'],
      ['/patch/name'],
      ['/patch/price/currency'],
      ['/patch', '/name'],
      [''],
    ]);
    expect(
      told(
        await batch('PUT', [
          { data: { sku: 'BAD', name: 'N' } },
          { upsert: true, if_match: '*', data: { sku: 'BAD', name: 'N' } },
          { upsert: true, data: { name: 'N' } },
          { upsert: true, data: { sku: 'NEW', name: '' } },
          { upsert: true },
          { if_none_match: '"3"', data: { sku: 'BAD', name: 'N' } },
        ]),
      ),
    ).toEqual([
      '428 precondition-required',
      ...Array<string>(4).fill('400 validation-failed'),
      '428 precondition-required',
    ]);
    expect(await tablesAsText(catalog.admin)).toBe(before);
    const mixed = await batch('PATCH', [
      { id: a, if_match: '"9"', patch: { name: 'no' } },
      { id: a, if_match: '"1"', patch: { name: 'yes' } },
    ]);
    expect(told(mixed)).toEqual(['412 precondition-failed', '200 "2"']);
  });

  it('may each be as large as a request, and their entities too', async () => {
    const large = { text: 'x'.repeat(60_000) };
    const ids = await create(...Array.from({ length: 20 }, (_, n) => `LARGE-${n}`));
    const grown = await batch(
      'PATCH',
      ids.map((id) => ({ id, if_match: '"1"', patch: { attributes: large } })),
    );
    expect(new Set(told(grown))).toEqual(new Set(['200 "2"']));
    // Small items about large entities: read and written some at a time, in one transaction.
    const renamed = await batch(
      'PATCH',
      [...ids, ...ids].map((id, n) => ({
        id,
        if_match: `"${n < 20 ? 2 : 3}"`,
        patch: { name: `N${n}` },
      })),
    );
    expect(new Set(told(renamed).slice(0, 20))).toEqual(new Set(['200 "3"']));
    expect(new Set(told(renamed).slice(20))).toEqual(new Set(['200 "4"']));
    const { rows } = await catalog.admin.query<{ transactions: number }>(
      "select count(distinct xmin::text)::int as transactions from outbox where version = 3 and payload::text like '%LARGE-%'",
    );
    expect(rows[0]?.transactions).toBe(1);
  });

  it('of which the database refuses one are done, but for that one', async () => {
    const ids = await create(...Array.from({ length: 5 }, (_, n) => `REFUSE-${n}`));
    await catalog.admin.query(
      "alter table product add constraint no_three check (name <> 'three')",
    );
    const reply = await batch(
      'PATCH',
      ids.map((id, n) => ({ id, if_match: '"1"', patch: { name: n === 3 ? 'three' : 'fine' } })),
    );
    await catalog.admin.query('alter table product drop constraint no_three');
    expect(told(reply)).toEqual([
      '200 "2"',
      '200 "2"',
      '200 "2"',
      '400 validation-failed',
      '200 "2"',
    ]);
    expect(await eventsOf(ids[3] ?? '')).toEqual(['C1 N']);
    expect(await eventsOf(ids[4] ?? '')).toEqual(['C1 N', 'U2 fine']);
  });
});
