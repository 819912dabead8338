import { documentSchemaOptions } from '@outbound/schemas';
import type { z } from 'zod';

/** How a zod schema becomes a schema of the OpenAPI document: as in the event schemas, and two more things that only get in the way of a reader. */
export const openApiSchemaOptions = {
  ...documentSchemaOptions,
  override: (context: { jsonSchema: z.core.JSONSchema.BaseSchema }) => {
    documentSchemaOptions.override(context);
    const { jsonSchema } = context;
    // Of the text that a number is checked by; a pattern says nothing about a number.
    if (jsonSchema.type === 'number' || jsonSchema.type === 'integer') delete jsonSchema.pattern;
    // A second pattern moves the format's own into allOf, and the format is lost.
    if (
      jsonSchema.allOf?.some(({ pattern }) => pattern?.startsWith('^([0-9a-fA-F]{8}-') === true)
    ) {
      delete jsonSchema.allOf;
      jsonSchema.format = 'uuid';
    }
  },
} as const satisfies z.core.ToJSONSchemaParams;
