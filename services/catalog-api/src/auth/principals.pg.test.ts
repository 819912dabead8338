import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from '../test-support/catalog-service.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { send } from '../test-support/http-client.ts';
import {
  createKey,
  jwksOf,
  signToken,
  testAudience,
  testIssuer,
} from '../test-support/test-issuer.ts';

/* Several callers over one database: what is whose. */

const key = await createKey('key-1');
let directory: string;
let catalog: TestCatalog;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbound-auth-'));
  const path = join(directory, 'jwks.json');
  await writeFile(path, jwksOf(key.jwk));
  catalog = await startCatalog({
    auth: 'on',
    authIssuer: testIssuer,
    authAudience: testAudience,
    authJwksPath: path,
  });
});
afterAll(async () => {
  await catalog.close();
  await rm(directory, { recursive: true });
});

const callerOf = async (sub: string) => {
  const scope = 'catalog.product.read catalog.product.write';
  const authorization = `Bearer ${await signToken(key, { sub, scope })}`;
  return (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
    send(catalog.url, method, path, {
      ...(body === undefined ? {} : { body }),
      headers: { authorization, ...headers },
    });
};

it('the same Idempotency-Key of two callers is two keys, and neither sees what the other was answered', async () => {
  const [anna, bert] = [await callerOf('anna'), await callerOf('bert')];
  const header = { 'idempotency-key': 'order-1' };
  const first = await anna('POST', '/products', '{"sku":"OF-ANNA","name":"N"}', header);
  const other = await bert('POST', '/products', '{"sku":"OF-BERT","name":"N"}', header);
  expect([first.status, other.status]).toEqual([201, 201]);
  expect(other.json['sku']).toBe('OF-BERT');
  expect(other.headers.get('idempotent-replayed')).toBeNull();

  // The same body under the same key: for its own caller the first answer, for another one the truth.
  const again = await anna('POST', '/products', '{"sku":"OF-ANNA","name":"N"}', header);
  expect(again.text).toBe(first.text);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  const carl = await callerOf('carl');
  expectProblem(
    await carl('POST', '/products', '{"sku":"OF-ANNA","name":"N"}', header),
    409,
    'conflict',
  );

  const batch = '{"items":[{"sku":"OF-ALL","name":"N"}]}';
  const [of, and] = [
    await anna('POST', '/products/batch', batch, header),
    await bert('POST', '/products/batch', batch, header),
  ];
  expect([of, and].map(({ text }) => /"status":(\d+)/.exec(text)?.[1])).toEqual(['201', '409']);
});

it('callers are named in no table, and in no event', async () => {
  const dora = await callerOf('dora-the-caller');
  const header = { 'idempotency-key': 'k' };
  expect((await dora('POST', '/products', '{"sku":"D","name":"N"}', header)).status).toBe(201);
  const { rows } = await catalog.admin.query<{ n: number }>(
    `select (select count(*) from outbox o where o::text like '%dora%')
          + (select count(*) from idempotency_key k where k::text like '%dora%')
          + (select count(*) from product p where p::text like '%dora%') as n`,
  );
  expect(Number(rows[0]?.n)).toBe(0);
});
