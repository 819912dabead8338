interface JsonSchema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/** Ids and moments of examples: the same every time, so that an example can be compared. */
const byFormat: Readonly<Record<string, string>> = {
  uuid: '01930e2a-7b1c-7000-8000-000000000001',
  'date-time': '2026-03-01T12:00:00.000Z',
};

/**
 * A value that fits a JSON schema of ours, with every field that it may have: the schema's own examples, else the first
 * of an enum, the default,
 * the smallest number, or the field's name as text.
 * @param name of the field, for text without an example.
 */
export function exampleValue(schema: JsonSchema, name = 'text'): unknown {
  if (schema.examples?.[0] !== undefined) return schema.examples[0];
  if (schema.enum?.[0] !== undefined) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.format !== undefined && byFormat[schema.format] !== undefined)
    return byFormat[schema.format];
  switch (schema.type) {
    case 'string':
      // An entity's id has two patterns, and no format beside them.
      return name === 'id' ? byFormat['uuid'] : name;
    case 'integer':
    case 'number':
      return schema.minimum ?? 0;
    case 'boolean':
      return true;
    case 'array':
      return [];
    default:
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([key, field]) => [
          key,
          exampleValue(field, key),
        ]),
      );
  }
}
