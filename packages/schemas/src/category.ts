import { z } from 'zod';
import { entityId, entityVersion, label, moment, slug, text } from './entity-fields.ts';

const code = slug
  .describe('What products refer to; unique among live categories.')
  .meta({ example: 'shoes' });
const name = label({ max: 200 }).describe('Name as a customer reads it.');
const description = text({ max: 4_000 }).describe('Longer text.');

/** A category on the wire: the REST resource and the `data` of its events are the same (Zalando rule 205). */
export const category = z.strictObject({
  id: entityId.describe('Identifier, given by the service.'),
  code,
  name,
  description: description.optional(),
  version: entityVersion.describe('Counts the changes of this category from 1; its ETag.'),
  created_at: moment.describe('When it was first created.'),
  updated_at: moment.describe('When it was last changed.'),
});
export type Category = z.output<typeof category>;

/** What a caller gives to create or replace a category. */
export const categoryInput = z.strictObject({
  code,
  name,
  description: description.optional(),
});
export type CategoryInput = z.output<typeof categoryInput>;

/** A JSON merge patch of a category (RFC 7396): what is absent stays, `null` removes. */
export const categoryPatch = z.strictObject({
  code: code.optional(),
  name: name.optional(),
  description: description.nullable().optional(),
});
export type CategoryPatch = z.output<typeof categoryPatch>;
