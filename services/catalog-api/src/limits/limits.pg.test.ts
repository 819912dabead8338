import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { createCallers, type TestCallers } from '../test-support/callers.ts';
import { startCatalog, type TestCatalog } from '../test-support/catalog-service.ts';
import { expectProblem } from '../test-support/expect-problem.ts';

/* What one caller may take from the others. */

let callers: TestCallers;
let catalog: TestCatalog;
beforeAll(async () => {
  callers = await createCallers();
  catalog = await startCatalog({
    ...callers.settings,
    poolSize: '4',
    connectionTimeoutMs: '60000',
    statementTimeoutMs: '60000',
  });
});
afterAll(async () => {
  await catalog.close();
  await callers.close();
});

const lockWaiters = async (): Promise<number> => {
  const { rows } = await catalog.admin.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where application_name = 'catalog-api' and wait_event_type = 'Lock'`,
  );
  return rows[0]?.n ?? 0;
};
/** While `work` runs, nobody else can change products. */
const whileLocked = async (work: () => Promise<void>): Promise<void> => {
  const blocker = new pg.Client({ connectionString: catalog.adminUrl });
  await blocker.connect();
  await blocker.query('begin; select from product for update');
  try {
    await work();
  } finally {
    await blocker.end();
  }
};
const anotherUrl = async (settings: Readonly<Record<string, string>>) =>
  `http://127.0.0.1:${(await catalog.startAnother(settings)).port}`;

describe('a caller who hammers one hot row', () => {
  it('has his share of the connections and no more; another caller is answered meanwhile', async () => {
    const greedy = await callers.callerOf('greedy', catalog.url);
    const modest = await callers.callerOf('modest', catalog.url);
    const hot = await greedy('POST', '/products', { body: '{"sku":"HOT","name":"N"}' });
    const change = () =>
      greedy('PATCH', `/products/${String(hot.json['id'])}`, {
        body: '{"name":"M"}',
        headers: { 'content-type': 'application/merge-patch+json', 'if-match': '"1"' },
      });
    let answers: Awaited<ReturnType<typeof change>>[] = [];
    await whileLocked(async () => {
      const changes = Promise.all(Array.from({ length: 20 }, change)).then(
        (all) => (answers = all),
      );
      changes.catch(() => undefined);
      await eventually(async () => (await lockWaiters()) === 3, { timeoutMs: 30_000 });
      for (const sku of ['COLD-1', 'COLD-2']) {
        const created = await modest('POST', '/products', { body: `{"sku":"${sku}","name":"N"}` });
        expect(created.status).toBe(201);
      }
      expect((await modest('GET', '/products')).status).toBe(200);
      expect([answers.length, await lockWaiters()]).toEqual([0, 3]);
    });
    await eventually(() => answers.length === 20, { timeoutMs: 30_000 });
    // All of them were carried out in the end: one changed it, and to the others it was another version.
    expect(answers.map(({ status }) => status).sort()).toEqual([
      200,
      ...Array<number>(19).fill(412),
    ]);
  });
});

describe('requests under way', () => {
  it('are bounded for each caller (429) and for all (503), and are given back, also by who went away', async () => {
    const url = await anotherUrl({ maxRequestsPerCaller: '2', maxRequests: '3' });
    const [anna, bert, carl] = await Promise.all(
      ['anna', 'bert', 'carl'].map((name) => callers.callerOf(name, url)),
    );
    if (!anna || !bert || !carl) throw new Error('three callers');
    const created = await anna('POST', '/products', { body: '{"sku":"BUSY","name":"N"}' });
    const path = `/products/${String(created.json['id'])}`;
    const headers = { 'if-match': '"1"' };
    const [first, second] = [new AbortController(), new AbortController()];
    const slow = (signal: AbortSignal, caller: typeof anna) =>
      caller('DELETE', path, { headers, signal }).then(
        ({ status }) => status,
        () => 'gone',
      );
    await whileLocked(async () => {
      const gone = [slow(first.signal, anna), slow(second.signal, anna)];
      await eventually(async () => (await lockWaiters()) === 2, { timeoutMs: 30_000 });
      const refused = await anna('GET', path);
      expectProblem(refused, 429, 'too-many-requests');
      expect(refused.headers.get('retry-after')).toBe('1');
      const third = slow(new AbortController().signal, bert);
      await eventually(async () => (await lockWaiters()) === 3, { timeoutMs: 30_000 });
      const shed = await carl('GET', path);
      expectProblem(shed, 503, 'overloaded');
      expect(shed.headers.get('retry-after')).toBe('1');
      first.abort();
      second.abort();
      expect(await Promise.all(gone)).toEqual(['gone', 'gone']);
      await eventually(async () => (await carl('GET', '/products?sku=NONE')).status === 200);
      third.catch(() => undefined);
    });
    await eventually(async () => (await bert('GET', path)).status === 404);
  });
});

describe('the rate of a caller', () => {
  it('is told in headers, and above it the answer is 429 with Retry-After; others have their own', async () => {
    const url = await anotherUrl({ rateLimitPerSecond: '1', rateLimitBurst: '2' });
    const fast = await callers.callerOf('fast', url);
    const other = await callers.callerOf('other', url);
    const replies = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map(() => fast('GET', '/products?sku=NONE')),
    );
    const admitted = replies.filter(({ status }) => status === 200);
    const refused = replies.filter(({ status }) => status === 429);
    // Two at once; a third only where the machine was slower than a second.
    expect(admitted.length).toBeGreaterThanOrEqual(2);
    expect(admitted.length + refused.length).toBe(8);
    for (const reply of refused) {
      expectProblem(reply, 429, 'too-many-requests');
      expect(reply.headers.get('retry-after')).toBe('1');
      expect(reply.headers.get('x-ratelimit-remaining')).toBe('0');
    }
    const { headers } = await other('GET', '/products?sku=NONE');
    expect(
      ['limit', 'remaining', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`)),
    ).toEqual(['1', '1', '1']);
  });
});
