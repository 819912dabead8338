import { z } from 'zod';
import type { EventType } from './event-type.ts';

/** How a zod schema becomes JSON Schema for readers, in the events as in the OpenAPI document: a format says more than zod's 400-character pattern for it. */
export const documentSchemaOptions = {
  unrepresentable: 'any',
  override: ({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }) => {
    if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
    // A second pattern moves the format's own into allOf, and the format is lost.
    if (
      jsonSchema.format === 'uuid' ||
      jsonSchema.allOf?.some(({ pattern }) => pattern?.startsWith('^([0-9a-fA-F]{8}-') === true)
    ) {
      delete jsonSchema.allOf;
      jsonSchema.format = 'uuid';
    }
    // Of the text that a number is checked by; a pattern says nothing about a number.
    if (jsonSchema.type === 'number' || jsonSchema.type === 'integer') delete jsonSchema.pattern;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    // `example` is OpenAPI's older word; JSON Schema has `examples`.
    if (jsonSchema['example'] !== undefined) {
      jsonSchema.examples = [jsonSchema['example']];
      delete jsonSchema['example'];
    }
  },
} as const satisfies z.core.ToJSONSchemaParams;

/**
 * JSON Schema of what is written: closed, so that a field that nobody declared is a fault of the producer. Consumers ignore unknown fields (Zalando rule 108).
 * Draft 2020-12, or draft 7 for readers that know no later one.
 */
export function toDocumentSchema(
  schema: z.ZodType,
  target: 'draft-2020-12' | 'draft-7' = 'draft-2020-12',
): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: 'output', target, ...documentSchemaOptions }) };
}

/** JSON Schema of an event type's whole value, with its name and version. */
export function eventJsonSchema({ name, version, value }: EventType): Record<string, unknown> {
  const { $schema, ...schema } = toDocumentSchema(value);
  return { $schema, $id: `urn:event-type:${name}:${version}`, title: name, ...schema };
}
