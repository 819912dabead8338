import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dollarsOf } from '../../demo/prices.ts';
import { readRows } from '../../demo/rows.ts';
import {
  startCatalog,
  type TestCatalog,
} from '../../services/catalog-api/src/test-support/catalog-service.ts';
import { send } from '../../services/catalog-api/src/test-support/http-client.ts';
import { pythonWithJsonSchema } from './python-client.ts';

const schemas = 'packages/schemas/generated';
const data = (name: string) => new URL(`../../demo/data/${name}.csv.gz`, import.meta.url);

interface Verdict {
  readonly taken: number;
  readonly refused: number;
}

/** Bodies of products with real prices: diamonds in whole dollars, crackers in cents and tenths of them. */
async function realProducts(): Promise<string[]> {
  const diamonds = (await readRows(data('diamonds')))
    .slice(0, 1_000)
    .map(
      ({ id, price, carat, cut, depth }) =>
        `{"sku":"D-${id}","name":"${cut} ${carat} ct","price":{"amount":${price},"currency":"USD"},"attributes":{"depth":${depth},"carat":${carat}}}`,
    );
  const crackers = (await readRows(data('cracker-prices'))).map(
    ({ brand, price = '' }, n) =>
      `{"sku":"C-${n}","name":"${brand}","price":{"amount":${dollarsOf(price)},"currency":"USD"}}`,
  );
  return [...diamonds, ...crackers.filter((_, n) => n % 6 === 0)];
}

/** The events in the text that consumers get, from a catalog that has seen creations, changes and deletions. */
async function realEvents(catalog: TestCatalog): Promise<readonly string[]> {
  const products = await realProducts();
  for (let start = 0; start < products.length; start += 1_000) {
    const body = `{"items":[${products.slice(start, start + 1_000).join(',')}]}`;
    expect((await send(catalog.url, 'POST', '/products/batch', { body })).status).toBe(207);
  }
  const headers = { 'if-match': '*', 'content-type': 'application/merge-patch+json' };
  const page = await send(catalog.url, 'GET', '/products?limit=20');
  for (const [index, { id }] of (page.json['items'] as { id: string }[]).entries()) {
    const body = `{"price":{"amount":${index}.99}}`;
    await send(catalog.url, 'PATCH', `/products/${id}`, { body, headers });
    await send(catalog.url, 'DELETE', `/products/${id}`, { headers: { 'if-match': '*' } });
  }
  await send(catalog.url, 'POST', '/categories', { body: '{"code":"shoes","name":"Shoes"}' });
  const { rows } = await catalog.admin.query<{ payload: string }>(
    'select payload::text as payload from outbox order by id',
  );
  return rows.map(({ payload }) => payload);
}

async function byAjv(events: readonly string[]): Promise<Verdict> {
  const validators = new Map<string, ValidateFunction>();
  let refused = 0;
  for (const text of events) {
    const event = JSON.parse(text) as { metadata: { event_type: string } };
    const name = event.metadata.event_type;
    let validate = validators.get(name);
    if (validate === undefined) {
      const ajv = new Ajv2020();
      addFormats.default(ajv);
      ajv.addFormat('iso-4217', /^[A-Z]{3}$/);
      validate = ajv.compile(
        JSON.parse(await readFile(`${schemas}/${name}.schema.json`, 'utf8')) as object,
      );
      validators.set(name, validate);
    }
    if (!validate(event)) refused += 1;
  }
  return { taken: events.length - refused, refused };
}

async function byPython(events: readonly string[]): Promise<Verdict> {
  const python = await pythonWithJsonSchema();
  const folder = await mkdtemp(join(tmpdir(), 'outbound-events-'));
  try {
    const file = join(folder, 'events.ndjson');
    await writeFile(file, events.join('\n'));
    const script = 'test/outsiders/validators/validate_events.py';
    const { stdout } = await promisify(execFile)(python, [script, file, schemas]);
    return JSON.parse(stdout) as Verdict;
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('thousands of real events', () => {
  let catalog: TestCatalog;
  let events: readonly string[];
  beforeAll(async () => {
    catalog = await startCatalog();
    events = await realEvents(catalog);
  });
  afterAll(() => catalog.close());

  it('are of every kind, and most have a price', () => {
    expect(events.length).toBeGreaterThan(3_000);
    for (const dataOp of ['C', 'U', 'D'])
      expect(events.some((text) => text.includes(`"data_op":"${dataOp}"`))).toBe(true);
  });

  it.each([
    ['ajv', byAjv],
    ["Python's jsonschema", byPython],
  ])('are taken by %s with the published schemas, and a broken one is not', async (_, judge) => {
    expect(await judge(events)).toEqual({ taken: events.length, refused: 0 });
    const [good = ''] = events;
    const broken = [
      good.replace(/"amount":[\d.]+/, '"amount":-1'),
      good.replace('"data_op":"C"', '"data_op":"X"'),
      good.replace(/"occurred_at":"[^"]+"/, '"occurred_at":"yesterday"'),
      good.replace('"data":{', '"data":{"unknown":1,'),
    ];
    expect(await judge(broken)).toEqual({ taken: 0, refused: broken.length });
  });
});
