import fc from 'fast-check';
import { isObject, type SchemaObject } from '../schema-node.ts';

const names = ['a', 'b', 'c'] as const;
const bound = fc.integer({ min: 0, max: 4 });
const textValue = fc.constantFrom('', 'a', 'b', 'ab', 'aaaa', 'X', 'Y');
const numberValue = fc.constantFrom(-1, 0, 0.5, 1, 2, 3, 4, 6, 12);

/** Any JSON value of a small world, so that two schemas often mean the same one. */
export const anyValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    textValue,
    numberValue,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

/** Some of the members: a schema rarely says everything. */
function some(members: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<SchemaObject> {
  return fc.record(members, { requiredKeys: [], noNullPrototype: true });
}

const textSchema = some({
  minLength: bound,
  maxLength: bound,
  pattern: fc.constantFrom('^a', '^[ab]*$'),
  enum: fc.uniqueArray(textValue, { minLength: 1, maxLength: 3 }),
  'x-extensible-enum': fc.uniqueArray(textValue, { minLength: 1, maxLength: 3 }),
}).map((more) => ({ type: 'string', ...more }));

const numberSchema = fc
  .tuple(
    fc.constantFrom('integer', 'number'),
    some({
      minimum: numberValue,
      exclusiveMaximum: numberValue,
      maximum: numberValue,
      multipleOf: fc.constantFrom(0.5, 1, 2, 3, 4),
    }),
  )
  .map(([type, more]) => ({ type, ...more }));

/** Schemas of the keywords that events use: types, bounds, enums, objects and maps, arrays and tuples, alternatives, and "or null" in three forms. */
export const anySchema: fc.Arbitrary<SchemaObject> = fc.letrec<{ schema: SchemaObject }>((tie) => {
  const inner = tie('schema');
  return {
    schema: fc.oneof(
      { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
      fc.constantFrom<SchemaObject>({ type: 'boolean' }, {}, { $ref: '#/$defs/shared' }),
      textSchema,
      numberSchema,
      textSchema.map((schema) => ({ ...schema, type: ['string', 'null'] })),
      inner.map((schema) => ({ anyOf: [schema, { type: 'null' }] })),
      fc.tuple(inner, inner).map((anyOf) => ({ anyOf })),
      fc.tuple(inner, inner).map((allOf) => ({ allOf })),
      some({ items: inner, minItems: bound, maxItems: bound, uniqueItems: fc.boolean() }).map(
        (more) => ({ type: 'array', ...more }),
      ),
      fc
        .array(inner, { minLength: 1, maxLength: 2 })
        .map((prefixItems) => ({ type: 'array', prefixItems })),
      fc
        .tuple(
          fc.dictionary(fc.constantFrom(...names), inner, { maxKeys: 3, noNullPrototype: true }),
          fc.subarray([...names]),
          some({ additionalProperties: fc.oneof(fc.constant(false), fc.constant(false), inner) }),
        )
        .map(([properties, required, more]) => ({
          type: 'object',
          properties,
          required: required.filter((name) => name in properties),
          ...more,
        })),
    ),
  };
}).schema;

/** How a schema is changed at one of its nodes. */
interface Edit {
  readonly at: number;
  readonly how: 'replace' | 'add field' | 'require field' | 'take keywords' | 'drop keyword';
  readonly with: SchemaObject;
  readonly name: string;
}

const edits = fc.array(
  fc.record<Edit>({
    at: fc.nat(20),
    how: fc.constantFrom(
      ...(['replace', 'add field', 'require field', 'take keywords', 'drop keyword'] as const),
    ),
    with: anySchema,
    name: fc.constantFrom(...names),
  }),
  { minLength: 1, maxLength: 3 },
);

/** A schema and what became of it by a few edits. `shared` is what both refer to, each its own. */
export const schemaPair: fc.Arbitrary<readonly [SchemaObject, SchemaObject]> = fc
  .tuple(anySchema, edits, textSchema, fc.option(numberSchema, { nil: undefined }))
  .map(([schema, changes, shared, other]) => {
    const root = { type: 'object', properties: { root: schema } };
    const changed = changes.reduce<SchemaObject>(edited, root);
    return [
      { ...root, $defs: { shared } },
      { ...changed, $defs: { shared: other ?? shared } },
    ] as const;
  });

function edited(schema: SchemaObject, edit: Edit): SchemaObject {
  let left = edit.at % countOf(schema);
  const walk = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(walk);
    if (!isObject(node)) return node;
    if (isSchema(node)) {
      if (left === 0) {
        left -= 1;
        return applied(node, edit);
      }
      left -= 1;
    }
    return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, walk(part)]));
  };
  return walk(schema) as SchemaObject;
}

/** A node of the schema's tree, and not the table of its fields. */
function isSchema(node: SchemaObject): boolean {
  return 'type' in node || 'anyOf' in node || 'allOf' in node || '$ref' in node;
}

function countOf(node: unknown): number {
  if (Array.isArray(node)) return node.reduce<number>((sum, part) => sum + countOf(part), 0);
  if (!isObject(node)) return 0;
  return Object.values(node).reduce<number>(
    (sum, part) => sum + countOf(part),
    isSchema(node) ? 1 : 0,
  );
}

function applied(node: SchemaObject, edit: Edit): SchemaObject {
  if (edit.how === 'replace') return edit.with;
  if (edit.how === 'take keywords') return { ...node, ...edit.with };
  if (edit.how === 'drop keyword')
    return Object.fromEntries(
      Object.entries(node).filter(([key], index) => key === 'type' || index !== 1),
    );
  if (edit.how === 'require field')
    return isObject(node['properties']) && edit.name in node['properties']
      ? { ...node, required: [edit.name] }
      : node;
  return isObject(node['properties'])
    ? { ...node, properties: { ...node['properties'], [edit.name]: edit.with } }
    : node;
}

/** Values that were probably written under the schema: built along it, then bent a little. The caller keeps those that it takes. */
export function valuesFor(schema: unknown, root: SchemaObject, depth = 0): fc.Arbitrary<unknown> {
  if (!isObject(schema) || depth > 6) return anyValue;
  if ('$ref' in schema) {
    const defs = root['$defs'];
    return valuesFor(isObject(defs) ? defs['shared'] : {}, root, depth + 1);
  }
  const choices: fc.Arbitrary<unknown>[] = [];
  for (const keyword of ['anyOf', 'allOf']) {
    const parts = schema[keyword];
    if (Array.isArray(parts))
      choices.push(...parts.map((part) => valuesFor(part, root, depth + 1)));
  }
  if (Array.isArray(schema['enum']))
    choices.push(fc.constantFrom(...(schema['enum'] as unknown[])));
  const types = [schema['type'] ?? []].flat();
  if (types.includes('string')) choices.push(textValue);
  if (types.includes('null')) choices.push(fc.constant(null));
  if (types.includes('boolean')) choices.push(fc.boolean());
  if (types.includes('integer') || types.includes('number')) choices.push(numberValue);
  if (types.includes('array')) choices.push(arraysFor(schema, root, depth));
  if (types.includes('object')) choices.push(objectsFor(schema, root, depth));
  return choices.length === 0 ? anyValue : fc.oneof(...choices);
}

function arraysFor(schema: SchemaObject, root: SchemaObject, depth: number): fc.Arbitrary<unknown> {
  const rest = fc.array(valuesFor(schema['items'], root, depth + 1), { maxLength: 4 });
  const places = schema['prefixItems'];
  if (!Array.isArray(places)) return rest;
  return fc
    .tuple(fc.tuple(...places.map((place) => valuesFor(place, root, depth + 1))), rest)
    .map(([first, more]) => [...first, ...more]);
}

function objectsFor(
  schema: SchemaObject,
  root: SchemaObject,
  depth: number,
): fc.Arbitrary<unknown> {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const required = (schema['required'] as string[] | undefined) ?? [];
  const shapes = { ...Object.fromEntries(required.map((name) => [name, {}])), ...properties };
  const declared = fc.record(
    Object.fromEntries(
      Object.entries(shapes).map(([name, part]) => [name, valuesFor(part, root, depth + 1)]),
    ),
    { requiredKeys: required, noNullPrototype: true },
  );
  const others = fc.dictionary(
    fc.constantFrom(...names),
    valuesFor(schema['additionalProperties'], root, depth + 1),
    { maxKeys: 2, noNullPrototype: true },
  );
  return fc.oneof(
    declared,
    fc.tuple(others, declared).map(([more, own]) => ({ ...more, ...(own as object) })),
  );
}
