import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  startCatalog,
  type TestCatalog,
} from '../../../../services/catalog-api/src/test-support/catalog-service.ts';
import { outbound } from '../test-support/outbound.ts';

const count = 1_300;
let catalog: TestCatalog;
let folder: string;
beforeAll(async () => {
  catalog = await startCatalog();
  folder = await mkdtemp(join(tmpdir(), 'outbound-round-trip-'));
});
afterAll(async () => {
  await catalog.close();
  await rm(folder, { recursive: true, force: true });
});

const run = async (...argv: string[]) =>
  outbound([...argv, '--json'], {
    env: { OUTBOUND_API_URL: catalog.url },
  });
const file = (name: string): string => join(folder, name);
/** All that an entity is, but for what the service decides anew: its version and its times. */
async function exported(kind: string, name: string): Promise<readonly string[]> {
  expect((await run('export', kind, '-o', file(name))).code).toBe(0);
  const text = gunzipSync(await readFile(file(name))).toString();
  return text
    .split('\n')
    .map((line) => line.replace(/,"version":\d+,"created_at":"[^"]+","updated_at":"[^"]+"\}$/, '}'))
    .map((line) => line.replaceAll(/"(position|at)":"[^"]+"/g, ''));
}

test('what was exported and imported into an empty database is exported again byte for byte', async () => {
  const products = Array.from(
    { length: count },
    (_, n) =>
      `{"sku":"R-${n}","name":"Ring \\"${n}\\" ü\u{1F48D}","price":{"amount":${n}.50,"currency":"EUR"},"category":"c-${n % 3}",` +
      `"attributes":{"n":12345678901234567890.10,"e":1E400,"deep":[{"a":null}],"t":"\\n\\u0001"},"status":"ACTIVE"}`,
  );
  await writeFile(
    file('c.ndjson'),
    [0, 1, 2].map((n) => `{"code":"c-${n}","name":"C"}\n`).join(''),
  );
  // As other systems write it.
  await writeFile(file('p.ndjson'), `\uFEFF${products.join('\r\n\r\n')}`);
  expect((await run('import', file('c.ndjson'), '--into', 'categories')).code).toBe(0);
  const imported = await run('import', file('p.ndjson'), '--into', 'products');
  expect(imported.json()).toMatchObject([{ rows: count, created: count, refused: 0 }]);
  const { rows } = await catalog.admin.query<{ id: string }>('select id from product limit 1');
  const changed = await fetch(`${catalog.url}/products/${rows[0]?.id}`, {
    method: 'PATCH',
    headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' },
    body: '{"brand":"B"}',
  });
  expect(changed.status).toBe(200);
  const before = [
    await exported('categories', 'c.ndjson.gz'),
    await exported('products', 'p.ndjson.gz'),
  ];
  expect(before.map(({ length }) => length)).toEqual([3 + 3, count + 3]);

  await catalog.admin.query('truncate product, category, product_search, idempotency_key');
  for (const kind of ['categories', 'products']) {
    const name = file(`${kind.slice(0, 1)}.ndjson.gz`);
    expect((await run('import', name, '--into', kind, '--exported')).code).toBe(0);
  }
  const after = [
    await exported('categories', 'c2.ndjson.gz'),
    await exported('products', 'p2.ndjson.gz'),
  ];
  expect(after).toEqual(before);

  const again = await run('import', file('p.ndjson.gz'), '--into', 'products', '--exported');
  expect(again.json()).toMatchObject([{ rows: count, created: 0, created_before: count }]);
  await catalog.admin.query('truncate idempotency_key');
  const later = await run('import', file('p.ndjson.gz'), '--into', 'products', '--exported');
  expect(later.code).toBe(3);
  expect(later.json()).toMatchObject([{ rows: count, created: 0, refused: count }]);
});

test('an export that is not whole, or has not all fields, is not taken for one', async () => {
  const lines = gunzipSync(await readFile(file('c.ndjson.gz')))
    .toString()
    .split('\n');
  await writeFile(file('cut.ndjson.gz'), gzipSync(lines.slice(0, -2).join('\n')));
  const cut = await run('import', file('cut.ndjson.gz'), '--into', 'categories', '--exported');
  expect([cut.code, cut.err]).toEqual([1, expect.stringContaining('IMPORT_EXPORT_CUT')]);
  await run('export', 'categories', '-o', file('part.ndjson'), '-q', 'fields=(id,code)');
  const part = await run('import', file('part.ndjson'), '--into', 'categories', '--exported');
  expect([part.code, part.err]).toEqual([2, expect.stringContaining('IMPORT_EXPORT_PART')]);
});
