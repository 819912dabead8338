import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCallers, type TestCallers } from '../test-support/callers.ts';
import { startCatalog, type TestCatalog } from '../test-support/catalog-service.ts';
import { expectProblem } from '../test-support/expect-problem.ts';

/* Several callers over one database: what is whose. */

let callers: TestCallers;
let catalog: TestCatalog;

beforeAll(async () => {
  callers = await createCallers();
  catalog = await startCatalog(callers.settings);
});
afterAll(async () => {
  await catalog.close();
  await callers.close();
});

const callerOf = (name: string) => callers.callerOf(name, catalog.url);

it('the same Idempotency-Key of two callers is two keys, and neither sees what the other was answered', async () => {
  const [anna, bert] = [await callerOf('anna'), await callerOf('bert')];
  const headers = { 'idempotency-key': 'order-1' };
  const first = await anna('POST', '/products', { body: '{"sku":"OF-ANNA","name":"N"}', headers });
  const other = await bert('POST', '/products', { body: '{"sku":"OF-BERT","name":"N"}', headers });
  expect([first.status, other.status]).toEqual([201, 201]);
  expect(other.json['sku']).toBe('OF-BERT');
  expect(other.headers.get('idempotent-replayed')).toBeNull();

  // The same body under the same key: for its own caller the first answer, for another one the truth.
  const again = await anna('POST', '/products', { body: '{"sku":"OF-ANNA","name":"N"}', headers });
  expect(again.text).toBe(first.text);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  const carl = await callerOf('carl');
  expectProblem(
    await carl('POST', '/products', { body: '{"sku":"OF-ANNA","name":"N"}', headers }),
    409,
    'conflict',
  );

  const batch = '{"items":[{"sku":"OF-ALL","name":"N"}]}';
  const [of, and] = [
    await anna('POST', '/products/batch', { body: batch, headers }),
    await bert('POST', '/products/batch', { body: batch, headers }),
  ];
  expect([of, and].map(({ text }) => /"status":(\d+)/.exec(text)?.[1])).toEqual(['201', '409']);
});

it('callers are named in no table, and in no event', async () => {
  const dora = await callerOf('dora-the-caller');
  const headers = { 'idempotency-key': 'k' };
  expect(
    (await dora('POST', '/products', { body: '{"sku":"D","name":"N"}', headers })).status,
  ).toBe(201);
  const { rows } = await catalog.admin.query<{ n: number }>(
    `select (select count(*) from outbox o where o::text like '%dora%')
          + (select count(*) from idempotency_key k where k::text like '%dora%')
          + (select count(*) from product p where p::text like '%dora%') as n`,
  );
  expect(Number(rows[0]?.n)).toBe(0);
});
