import { expect, test } from 'vitest';
import { contentOfValue, hashOfRow, type ProductRow } from './product-content.ts';

const row: ProductRow = {
  id: '01980b3e-7f4e-7a41-b1c6-2f5f3d6a0d11',
  sku: 'DIA-00001',
  name: 'Round diamond',
  description: null,
  brand: null,
  category: 'diamonds',
  price_amount: '326.5000',
  price_currency: 'USD',
  attributes: '{"carat":0.23,"table":55.0,"serial":12345678901234567890}',
  status: 'ACTIVE',
  version: '3',
  created_ms: '1780000000123',
  updated_ms: '1780000001000',
  is_deleted: false,
};

function value(changes: Record<string, string> = {}): Buffer {
  const fields = {
    id: `"${row.id}"`,
    sku: '"DIA-00001"',
    name: '"Round diamond"',
    category: '"diamonds"',
    price: '{"amount":326.5,"currency":"USD"}',
    attributes: row.attributes,
    status: '"ACTIVE"',
    version: '3',
    created_at: '"2026-05-28T20:26:40.123Z"',
    updated_at: '"2026-05-28T20:26:41Z"',
    ...changes,
  };
  const data = Object.entries(fields).map(([name, text]) => `"${name}":${text}`);
  return Buffer.from(`{"metadata":{},"data":{${data.join(',')}}}`);
}

test('a row and its event have one hash, however decimals and times are written', () => {
  const content = contentOfValue(value());
  expect(content.version).toBe(3);
  expect(content.dataHash).toBe(hashOfRow(row));
});

test.each([
  ['sku', '"DIA-00002"'],
  ['name', '"Round Diamond"'],
  ['description', '"new"'],
  ['price', '{"amount":326.51,"currency":"USD"}'],
  ['price', '{"amount":326.5,"currency":"EUR"}'],
  ['price', 'null'],
  ['attributes', '{"carat":0.23,"table":55.0,"serial":12345678901234567891}'],
  ['attributes', '{"carat":0.23,"table":55,"serial":12345678901234567890}'],
  ['status', '"DRAFT"'],
  ['version', '4'],
  ['updated_at', '"2026-05-28T20:26:41.001Z"'],
])('another %s is another hash (%s)', (field, text) => {
  expect(contentOfValue(value({ [field]: text })).dataHash).not.toBe(hashOfRow(row));
});
