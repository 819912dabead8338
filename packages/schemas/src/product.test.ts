import { describe, expect, test } from 'vitest';
import { category, categoryInput, categoryPatch } from './category.ts';
import { JsonNumber, readingForm } from '@outbound/contract';
import { product, productInput, productPatch } from './product.ts';

const full = {
  id: '01930e2a-7b1c-7000-8000-000000000001',
  sku: 'SHOE-42',
  name: 'Shoe',
  attributes: {},
  status: 'ACTIVE',
  version: 1,
  created_at: '2026-03-01T12:00:00.000Z',
  updated_at: '2026-03-01T12:00:00.000Z',
} as const;
const taken = (field: object) => product.safeParse({ ...full, ...field }).success;

describe('a product', () => {
  test.each([
    {},
    { name: 'x'.repeat(200) },
    { name: '😀'.repeat(200) },
    { name: 'שלום' },
    { description: '' },
    { description: ' a\r\n' },
    { brand: 'B', category: 'outdoor-shoes', price: { amount: 1.5, currency: 'EUR' } },
    { attributes: { big: new JsonNumber('12345678901234567890'), nested: { list: [null] } } },
    { attributes: { text: 'x'.repeat(65_536 - 11) } },
    { version: Number.MAX_SAFE_INTEGER },
  ])('may have %j', (field) => {
    expect(taken(field)).toBe(true);
  });

  test.each([
    { id: full.id.toUpperCase() },
    { id: '01930e2a-7b1c-4000-8000-000000000001' },
    { id: 'x' },
    { sku: '' },
    { sku: 'a b' },
    { sku: 'a'.repeat(65) },
    { sku: 'é' },
    { sku: 'a\n' },
    { name: '' },
    { name: ' Shoe' },
    { name: 'Shoe\u00a0' },
    { name: 'x'.repeat(201) },
    { name: '\ud800' },
    { name: 'a\0' },
    { name: 'a\tb' },
    { name: 'a\nb' },
    { brand: 'a\u007fb' },
    { brand: 'a\u0085b' },
    { name: 'a\u2028b' },
    { description: 'x'.repeat(4_001) },
    { category: 'Shoes' },
    { category: 'a--b' },
    { price: { amount: 1 } },
    { attributes: [] },
    { attributes: null },
    { attributes: { a: '\ud800' } },
    { attributes: { a: Number.NaN } },
    { attributes: { text: 'x'.repeat(65_536 - 10) } },
    { status: 'active' },
    { version: 0 },
    { version: 1.5 },
    { created_at: '2026-03-01T12:00:00Z' },
    { created_at: '2026-03-01T12:00:00.000+01:00' },
    { deleted_at: null },
    { owner: 'me' },
  ])('may not have %j', (field) => {
    expect(taken(field)).toBe(false);
  });
});

test('what the service decides is not for a caller to give', () => {
  const input = { sku: 'A', name: 'A' };
  expect(productInput.parse(input)).toEqual({ ...input, attributes: {}, status: 'DRAFT' });
  for (const field of ['id', 'version', 'created_at', 'updated_at'] as const) {
    expect(productInput.safeParse({ ...input, [field]: full[field] }).success).toBe(false);
    expect(productPatch.safeParse({ [field]: full[field] }).success).toBe(false);
  }
});

test('a patch removes with null what may be absent, and nothing else', () => {
  const removed = { description: null, brand: null, category: null, price: null, attributes: null };
  expect(productPatch.parse(removed)).toEqual(removed);
  expect(productPatch.parse({})).toEqual({});
  for (const field of ['sku', 'name', 'status'])
    expect(productPatch.safeParse({ [field]: null }).success).toBe(false);
});

test('a patch may change one part of a price', () => {
  expect(productPatch.parse({ price: { amount: 2 } })).toEqual({ price: { amount: 2 } });
  expect(productPatch.safeParse({ price: { amount: null } }).success).toBe(false);
});

test('a category is declared in the same way', () => {
  const { id, version, created_at, updated_at } = full;
  const shoes = { code: 'shoes', name: 'Shoes' };
  expect(category.safeParse({ id, version, created_at, updated_at, ...shoes }).success).toBe(true);
  expect(categoryInput.parse(shoes)).toEqual(shoes);
  expect(categoryInput.safeParse({ ...shoes, id }).success).toBe(false);
  expect(categoryPatch.parse({ description: null })).toEqual({ description: null });
  expect(categoryPatch.safeParse({ code: null }).success).toBe(false);
});

test('a name of more than one line, taken before that was refused, can still be read', () => {
  expect(taken({ name: 'a\nb' })).toBe(false);
  expect(readingForm(product).safeParse({ ...full, name: 'a\nb' }).success).toBe(true);
});
