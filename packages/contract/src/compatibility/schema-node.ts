/** A JSON Schema 2020-12 as it is in a document. */
export type JsonSchema = boolean | SchemaObject;
export type SchemaObject = Readonly<Record<string, unknown>>;

/** The types of JSON, with `number` split into its two disjoint parts, so that subsets are subsets. */
export type Atom = 'null' | 'boolean' | 'string' | 'integer' | 'fraction' | 'object' | 'array';

const atoms: readonly Atom[] = [
  'null',
  'boolean',
  'string',
  'integer',
  'fraction',
  'object',
  'array',
];

/** What a schema may say beside `$ref` or `anyOf` without taking a value away. */
const annotations = new Set([
  'title',
  'description',
  'examples',
  'default',
  'deprecated',
  '$comment',
  '$schema',
  '$id',
  '$defs',
]);

/** Whether the value is an object of a JSON document. */
export function isObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Values as a JSON text in which the order of members says nothing. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    isObject(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/**
 * The schema in the one form that is compared: references followed, booleans as objects, `const` as an enum, and both ways to say "or null"
 * (`nullable`, `anyOf` with the null type) as a type.
 * @throws Error if a reference leads outside the document, nowhere, or to itself.
 */
export function schemaNode(schema: JsonSchema, root: JsonSchema): SchemaObject {
  if (typeof schema === 'boolean') return schema ? {} : { not: {} };
  let node = followed(schema, root);
  if ('const' in node) {
    const { const: value, ...rest } = node;
    node = { ...rest, enum: [value] };
  }
  if (node['nullable'] === true) {
    const { nullable: _, ...rest } = node;
    node = withNull(rest);
  }
  return nullFromAnyOf(node, root);
}

function followed(schema: SchemaObject, root: JsonSchema): SchemaObject {
  let node = schema;
  for (let steps = 0; typeof node['$ref'] === 'string'; steps += 1) {
    const { $ref, ...rest } = node;
    // Both hold: a reference with more beside it than words is a conjunction.
    if (!Object.keys(rest).every((key) => annotations.has(key))) {
      const others = Array.isArray(rest['allOf']) ? (rest['allOf'] as unknown[]) : [];
      return { ...rest, allOf: [...others, { $ref }] };
    }
    if (steps > 50) throw new Error(`the reference ${String($ref)} leads to itself`);
    const target = atPointer(root, String($ref));
    node = { ...(isObject(target) ? target : schemaNode(target, root)), ...rest };
  }
  return node;
}

function atPointer(root: JsonSchema, pointer: string): JsonSchema {
  if (!pointer.startsWith('#'))
    throw new Error(
      `the reference ${pointer} leads out of the document: put what it means into $defs`,
    );
  const parts = pointer
    .slice(1)
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'));
  let found: unknown = root;
  for (const part of parts)
    found = isObject(found) ? found[part] : Array.isArray(found) ? found[Number(part)] : undefined;
  if (typeof found === 'boolean' || isObject(found)) return found;
  throw new Error(`the reference ${pointer} leads nowhere`);
}

function nullFromAnyOf(node: SchemaObject, root: JsonSchema): SchemaObject {
  const { anyOf, ...rest } = node;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return node;
  if (!Object.keys(rest).every((key) => annotations.has(key))) return node;
  const parts = anyOf.map((part) => schemaNode(part as JsonSchema, root));
  const isNull = (part: SchemaObject) => canonical(part) === '{"type":"null"}';
  const other = parts.find((part) => !isNull(part));
  if (other === undefined || !parts.some(isNull)) return node;
  return other['type'] === undefined && other['enum'] === undefined
    ? node
    : { ...withNull(other), ...rest };
}

function withNull(node: SchemaObject): SchemaObject {
  const types = [node['type'] ?? []].flat();
  const values = node['enum'];
  return {
    ...node,
    ...(types.length > 0 && !types.includes('null') ? { type: [...types, 'null'] } : {}),
    ...(Array.isArray(values) && !values.includes(null)
      ? { enum: [...(values as unknown[]), null] }
      : {}),
  };
}

/** The types that the node takes; of its enum's values where it declares none. */
export function typesOf(node: SchemaObject): ReadonlySet<Atom> {
  const declared = [node['type'] ?? []].flat() as string[];
  if (declared.length > 0)
    return new Set(
      declared.flatMap((type): Atom[] =>
        type === 'number' ? ['integer', 'fraction'] : atoms.filter((atom) => atom === type),
      ),
    );
  if (Array.isArray(node['enum'])) return new Set(node['enum'].map(typeOfValue));
  return new Set(atoms);
}

function typeOfValue(value: unknown): Atom {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'fraction';
  return typeof value as 'boolean' | 'string' | 'object';
}
