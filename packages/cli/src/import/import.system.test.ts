import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { TestPipeline } from '../../../../test/support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../../../../test/support/test-stack.ts';
import type { ImportState } from './import-state.ts';

const rowCount = 12_000;
let stack: TestStack;
let folder: string;
beforeAll(async () => {
  stack = await startTestStack();
  folder = await mkdtemp(join(tmpdir(), 'outbound-import-'));
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Rows with quotes, line breaks and exact amounts; every 1,000th breaks the schema. */
function csv(): string {
  const rows = Array.from({ length: rowCount }, (_, index) => {
    const sku = (index + 1) % 1000 === 0 ? `NOT A SKU ${index}` : `IMP-${index}`;
    return `${sku},"Ring ""${index}""",${index % 7 === 0 ? '"two\nlines"' : ''},${index}.10,0.30`;
  });
  return `sku,title,description,cost,carat\n${rows.join('\n')}\n`;
}

/** `outbound import`, as its users run it. */
function start(file: string, apiUrl: string, args: readonly string[] = []) {
  const child = spawn(
    process.execPath,
    [
      'packages/cli/dist/main.js',
      ...['import', file, '--into', 'products', '--json', '--batch', '200', '--api-url', apiUrl],
      ...['--map', 'name=title', '--map', 'price.amount=cost', '--set', 'price.currency=EUR'],
      ...['--map', 'attributes.carat:number=carat', ...args],
    ],
    { env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, ended };
}

test('an import that is killed, and one whose API is, end with every row exactly once', async () => {
  await using pipeline = await TestPipeline.create(stack);
  const { api, url } = await pipeline.startApi();
  const file = join(folder, 'products.csv');
  await writeFile(file, csv());
  const lineReached = async () =>
    (JSON.parse(await readFile(`${file}.import-state.json`, 'utf8')) as ImportState).line;

  const first = start(file, url);
  await eventually(async () => (await lineReached()) > 2000, { timeoutMs: 60_000, intervalMs: 5 });
  first.child.kill('SIGKILL');
  expect((await first.ended).code).toBe(null);
  const stoppedAt = await lineReached();
  expect(stoppedAt).toBeLessThan(rowCount);

  const second = start(file, url, ['--resume']);
  await eventually(async () => (await lineReached()) > stoppedAt + 2000, {
    timeoutMs: 60_000,
    intervalMs: 5,
  });
  const port = new URL(url).port;
  await api.kill();
  await pipeline.startApi({ CATALOG_API_PORT: port });
  const { code, out, err } = await second.ended;
  expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining('again in') as string });
  // What was on its way when the one or the other was killed had been created, and is told again.
  expect(JSON.parse(out)).toMatchObject({ rows: rowCount, refused: 12 });
  const { created, created_before } = JSON.parse(out) as Record<string, number>;
  expect((created ?? 0) + (created_before ?? 0)).toBe(rowCount - 12);

  const { rows } = await pipeline.sql.query<Record<string, unknown>>(`
    select count(*)::int as products, count(distinct sku)::int as skus,
      (select count(*)::int from outbox where data_op = 'C') as events,
      count(*) filter (where attributes::text = '{"carat":0.30}')::int as exact,
      sum(price_amount)::text as total
    from product`);
  const good = Array.from({ length: rowCount }, (_, index) => index).filter(
    (index) => (index + 1) % 1000 !== 0,
  );
  const tenths = good.reduce((sum, index) => sum + index * 10 + 1, 0);
  expect(rows[0]).toEqual({
    products: good.length,
    skus: good.length,
    events: good.length,
    exact: good.length,
    total: `${Math.floor(tenths / 10)}.${tenths % 10}000`,
  });
  const errors = (await readFile(`${file}.errors.ndjson`, 'utf8')).trimEnd().split('\n');
  const text = (await readFile(file, 'utf8')).split('\n');
  expect(errors).toHaveLength(12);
  for (const line of errors) {
    const error = JSON.parse(line) as { line: number; type: string };
    expect(error.type).toBe('/problems/validation-failed');
    expect(text[error.line - 1]).toMatch(/^NOT A SKU/);
  }

  const again = await start(file, url).ended;
  expect(JSON.parse(again.out)).toMatchObject({
    rows: rowCount,
    created: 0,
    created_before: rowCount - 12,
  });
  const { rows: after } = await pipeline.sql.query('select count(*)::int as count from product');
  expect(after).toEqual([{ count: good.length }]);
});
