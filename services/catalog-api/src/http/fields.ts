import type { Entity } from '@outbound/outbox';
import { z } from 'zod';

/**
 * The parameter `fields` (Zalando rule 157) of an entity: `(id,sku)`, or `!(attributes)` for all others. Nested fields cannot be chosen: the one nested object that has a
 * shape is a price, and an amount without its currency says nothing.
 */
export function fieldsParameter(entity: z.ZodObject) {
  const known = Object.keys(entity.shape);
  return z
    .string()
    .transform((sent, context): readonly string[] => {
      const match = /^(!?)\(([a-z_]+(?:,[a-z_]+)*)\)$/.exec(sent);
      const names = match?.[2]?.split(',') ?? [];
      if (match === null || names.some((name) => !known.includes(name)))
        context.addIssue({
          code: 'custom',
          message: `must be names in brackets, like (id,version), or !(id) for all others; there are ${known.join(', ')}`,
        });
      const chosen = known.filter((name) => names.includes(name) !== (match?.[1] === '!'));
      // Links name what is left, and nothing has no name.
      if (match !== null && chosen.length === 0)
        context.addIssue({ code: 'custom', message: 'must leave at least one field' });
      return chosen;
    })
    .describe(
      'Only these fields of each (rule 157): names in brackets, or ! and those that are left out. Cheaper where it leaves out what is large. The others are not in the answer then, not even those that its schema requires: that is the schema of the answer without `fields`.',
    )
    .meta({
      type: 'string',
      pattern: '^!?\\([a-z_]+(,[a-z_]+)*\\)$',
      example: '(id,version)',
    });
}

/** The entity's fields of these names, in its own order. */
export function pickFields(
  entity: Entity | Readonly<Record<string, unknown>>,
  fields: readonly string[] | undefined,
): Readonly<Record<string, unknown>> {
  if (fields === undefined) return { ...entity };
  return Object.fromEntries(Object.entries(entity).filter(([name]) => fields.includes(name)));
}
