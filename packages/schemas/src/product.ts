import { z } from 'zod';
import { entityId, entityVersion, jsonObject, label, moment, slug, text } from './entity-fields.ts';
import { money } from './money.ts';

export const productStatuses = ['DRAFT', 'ACTIVE', 'DISCONTINUED'] as const;

const sku = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of the characters A-Z a-z 0-9 . _ -')
  .describe('Stock keeping unit; unique among live products.')
  .meta({ example: 'SHOE-42' });
const name = label({ max: 200 }).describe('Name as a customer reads it.');
const description = text({ max: 4_000 }).describe('Longer text.');
const brand = label({ max: 100 }).describe('Brand as a customer reads it.');
const category = slug.describe('Code of the category.').meta({ example: 'shoes' });
const price = money.describe('Price; absent while it is not known.');
const attributes = jsonObject.describe(
  'Whatever else describes the product; numbers keep every digit.',
);
const status = z.enum(productStatuses).describe('Where in its life the product is.');

/** A product on the wire: the REST resource and the `data` of its events are the same (Zalando rule 205). */
export const product = z.strictObject({
  id: entityId.describe('Identifier, given by the service.'),
  sku,
  name,
  description: description.optional(),
  brand: brand.optional(),
  category: category.optional(),
  price: price.optional(),
  attributes,
  status,
  version: entityVersion.describe('Counts the changes of this product from 1; its ETag.'),
  created_at: moment.describe('When it was first created.'),
  updated_at: moment.describe('When it was last changed.'),
});
export type Product = z.output<typeof product>;

/** What a caller gives to create or replace a product: all that the service does not decide. */
export const productInput = z.strictObject({
  sku,
  name,
  description: description.optional(),
  brand: brand.optional(),
  category: category.optional(),
  price: price.optional(),
  attributes: attributes.default({}),
  status: status.default('DRAFT'),
});
export type ProductInput = z.output<typeof productInput>;

/**
 * A JSON merge patch of a product (RFC 7396): what is absent stays, `null` removes. `attributes` is merged member by member; its result is
 * checked again as a whole.
 */
export const productPatch = z.strictObject({
  sku: sku.optional(),
  name: name.optional(),
  description: description.nullable().optional(),
  brand: brand.nullable().optional(),
  category: category.nullable().optional(),
  price: money.partial().nullable().optional(),
  attributes: attributes.nullable().optional(),
  status: status.optional(),
});
export type ProductPatch = z.output<typeof productPatch>;
