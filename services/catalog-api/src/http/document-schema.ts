import { z } from 'zod';

/** How a zod schema becomes JSON Schema for readers: a format says more than zod's 400-character pattern for it. */
export const documentSchemaOptions = {
  unrepresentable: 'any',
  override: ({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }) => {
    if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
    // zod repeats the pattern of a format in allOf when another pattern is there.
    if (jsonSchema.format === 'uuid') delete jsonSchema.allOf;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  },
} as const satisfies z.core.ToJSONSchemaParams;

/** JSON Schema 2020-12 of what is sent. */
export function toDocumentSchema(schema: z.ZodType): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: 'output', ...documentSchemaOptions }) };
}
