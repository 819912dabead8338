import { z } from 'zod';
import type { Aggregate } from '../catalog/aggregate.ts';

const ifMatch = z
  .string()
  .optional()
  .describe('As the header If-Match: the ETag of the version that is changed, or *.');
const ifNoneMatch = z.string().optional().describe('As the header If-None-Match: * creates.');
const upsert = z
  .literal(true)
  .optional()
  .meta({ description: 'Whatever is there is replaced; nothing there is created.' });

/** An item that puts: what is around the entity's fields. @param data what those may be. */
export function putItem<Data extends z.ZodType>(data: Data) {
  return z.strictObject({
    id: z.string().optional().describe('UUIDv7; without it the unique key in data says which.'),
    if_match: ifMatch,
    if_none_match: ifNoneMatch,
    upsert,
    data,
  });
}

/** An item that names what it changes. */
export function targetedItem(aggregate: Aggregate) {
  const key = keyOf(aggregate);
  return z.strictObject({
    id: z.string().optional().describe('UUIDv7 of the entity; this, or its unique key.'),
    ...(key === undefined
      ? {}
      : { [key]: (aggregate.input.shape[key] as z.ZodType).optional().describe('Instead of id.') }),
    if_match: ifMatch,
  });
}

/** The field that items name an entity by, in place of its id. */
export function keyOf({ uniqueKeys }: Aggregate): string | undefined {
  return uniqueKeys[0]?.field;
}

/** The envelopes by which items are opened; what they hold is checked by itself. */
export interface Envelopes {
  readonly put: ReturnType<typeof putItem<z.ZodUnknown>>;
  readonly patch: z.ZodObject<{ readonly patch: z.ZodUnknown }, z.core.$strict>;
  readonly targeted: ReturnType<typeof targetedItem>;
}

const known = new WeakMap<Aggregate, Envelopes>();

/** The envelopes of an aggregate, made once: a schema writes and compiles code of its own for what it checks, which costs many times what one check does. */
export function envelopesOf(aggregate: Aggregate): Envelopes {
  let envelopes = known.get(aggregate);
  if (envelopes === undefined) {
    const targeted = targetedItem(aggregate);
    envelopes = {
      put: putItem(z.unknown()),
      patch: targeted.extend({ patch: z.unknown() }),
      targeted,
    };
    known.set(aggregate, envelopes);
  }
  return envelopes;
}
