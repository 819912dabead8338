import type { SchemaChange } from './change.ts';
import {
  compareBounds,
  compareEnums,
  compareOpaque,
  compareTexts,
  compareTypes,
  compareWords,
  type Note,
} from './compare-constraints.ts';
import {
  canonical,
  isObject,
  schemaNode,
  type JsonSchema,
  type SchemaObject,
} from './schema-node.ts';

interface Comparison {
  readonly from: JsonSchema;
  readonly to: JsonSchema;
  readonly areDefsEqual: boolean;
  readonly changes: SchemaChange[];
  /** Pairs under comparison, so that a schema that contains itself ends. */
  readonly open: Set<string>;
}

/**
 * Every difference between two JSON Schemas (2020-12) of one event type, in the order of the fields. Complete in one direction: if no change says that it
 * breaks old (new) readers, then no event written under `declared` (`released`) is refused by the other schema. What cannot be decided counts as a break.
 *
 * An object writes the fields that it declares, whether or not `additionalProperties: false` stands there: a producer defines a field before it sends it
 * (rule 210). An object that declares no fields at all and is not closed is a map, as is one with `additionalProperties` other than false.
 * @throws Error if a reference leads outside the document or nowhere.
 */
export function compareSchemas(
  released: JsonSchema,
  declared: JsonSchema,
): readonly SchemaChange[] {
  const definitions = (schema: JsonSchema) =>
    canonical(isObject(schema) ? [schema['$defs'], schema['definitions']] : []);
  const comparison: Comparison = {
    from: released,
    to: declared,
    areDefsEqual: definitions(released) === definitions(declared),
    changes: [],
    open: new Set(),
  };
  compareAt(comparison, '', released, declared);
  return comparison.changes;
}

function compareAt(comparison: Comparison, path: string, was: JsonSchema, is: JsonSchema): void {
  const pairKey = `${canonical(was)}\n${canonical(is)}`;
  if (comparison.open.has(pairKey)) return;
  comparison.open.add(pairKey);
  const from = schemaNode(was, comparison.from);
  const to = schemaNode(is, comparison.to);
  const note: Note = (kind, detail) => comparison.changes.push({ kind, path, detail });
  compareWords(from, to, note);
  if (compareTypes(from, to, note)) {
    compareEnums(from, to, note);
    compareBounds(from, to, note);
    compareTexts(from, to, note);
    compareOpaque(from, to, { note, areDefsEqual: comparison.areDefsEqual });
    compareFields(comparison, path, from, to);
    compareItems(comparison, path, from, to);
    compareAllOf(comparison, path, from, to);
    compareAnyOf(comparison, path, from, to);
  }
  comparison.open.delete(pairKey);
}

function compareFields(
  comparison: Comparison,
  path: string,
  from: SchemaObject,
  to: SchemaObject,
): void {
  const [was, is] = [fieldsOf(from), fieldsOf(to)];
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  for (const name of new Set([...was.schemas.keys(), ...is.schemas.keys()])) {
    const note: Note = (kind, detail) => comparison.changes.push({ kind, path: at(name), detail });
    const [before, after] = [was.schemas.get(name), is.schemas.get(name)];
    const [wasRequired, isRequired] = [was.required.has(name), is.required.has(name)];
    if (before === undefined) {
      if (was.map !== undefined)
        note('field of a map defined', 'events may hold it in another form');
      else note(isRequired ? 'required field added' : 'optional field added', typeText(after));
    } else if (after === undefined) {
      // Under a map the name goes on with any content, which old readers do not expect.
      const isLost = wasRequired || is.map !== undefined;
      note(isLost ? 'required field removed' : 'optional field removed', typeText(before));
    } else {
      if (wasRequired && !isRequired) note('field made optional', 'it may be absent');
      if (!wasRequired && isRequired) note('field made required', 'older events lack it');
      compareAt(comparison, at(name), before, after);
    }
  }
  const note: Note = (kind, detail) => comparison.changes.push({ kind, path, detail });
  if (was.map !== undefined && is.map !== undefined)
    compareAt(comparison, at('*'), was.map, is.map);
  else if (is.map !== undefined) note('map opened', 'fields that nobody declares may come');
  else if (was.map !== undefined) note('map closed', 'older events hold other fields');
  else if (from['additionalProperties'] !== to['additionalProperties'])
    note('content model stated', is.isClosed ? 'closed' : 'open');
}

interface Fields {
  readonly schemas: ReadonlyMap<string, JsonSchema>;
  readonly required: ReadonlySet<string>;
  /** What a field that is not declared looks like, if a producer may write one. */
  readonly map: JsonSchema | undefined;
  readonly isClosed: boolean;
}

function fieldsOf(node: SchemaObject): Fields {
  const properties = isObject(node['properties']) ? node['properties'] : {};
  const required = new Set(Array.isArray(node['required']) ? (node['required'] as string[]) : []);
  const others = node['additionalProperties'] as JsonSchema | undefined;
  const names = new Set([...Object.keys(properties), ...required]);
  const isClosed = others === false;
  const isMap = others === undefined ? Object.keys(properties).length === 0 : !isClosed;
  const rest: JsonSchema = isObject(others) ? others : !isClosed;
  return {
    schemas: new Map([...names].map((name) => [name, (properties[name] ?? rest) as JsonSchema])),
    required,
    map: isMap ? rest : undefined,
    isClosed,
  };
}

function compareItems(
  comparison: Comparison,
  path: string,
  from: SchemaObject,
  to: SchemaObject,
): void {
  const [was, is] = [listOf(from['prefixItems']), listOf(to['prefixItems'])];
  if (was.length !== is.length) {
    comparison.changes.push({
      kind: 'tuple changed',
      path,
      detail: `${was.length} places became ${is.length}`,
    });
    return;
  }
  was.forEach((item, index) => compareAt(comparison, `${path}[${index}]`, item, is[index] ?? true));
  const [before, after] = [from['items'] ?? true, to['items'] ?? true] as JsonSchema[];
  compareAt(comparison, `${path}[]`, before ?? true, after ?? true);
}

/** Members without an equal on the other side; one more narrows, one less widens. */
function compareAllOf(
  comparison: Comparison,
  path: string,
  from: SchemaObject,
  to: SchemaObject,
): void {
  const [was, is] = unequal(comparison, listOf(from['allOf']), listOf(to['allOf']));
  const detail = `allOf ${was.length} members became ${is.length}`;
  if (was.length === is.length)
    was.forEach((member, index) => compareAt(comparison, path, member, is[index] ?? true));
  else
    comparison.changes.push({
      kind:
        was.length === 0
          ? 'constraint tightened'
          : is.length === 0
            ? 'constraint relaxed'
            : 'constraint changed',
      path,
      detail,
    });
}

function compareAnyOf(
  comparison: Comparison,
  path: string,
  from: SchemaObject,
  to: SchemaObject,
): void {
  const isGiven = (node: SchemaObject) => node['anyOf'] !== undefined;
  const note: Note = (kind, detail) => comparison.changes.push({ kind, path, detail });
  if (isGiven(from) !== isGiven(to)) {
    note(isGiven(to) ? 'constraint tightened' : 'constraint relaxed', 'anyOf');
    return;
  }
  const [was, is] = unequal(comparison, listOf(from['anyOf']), listOf(to['anyOf']));
  if (was.length === is.length)
    was.forEach((member, index) => compareAt(comparison, path, member, is[index] ?? true));
  else {
    is.forEach((member) => note('alternative added', typeText(member)));
    was.forEach((member) => note('alternative removed', typeText(member)));
  }
}

function unequal(
  { areDefsEqual }: Comparison,
  was: readonly JsonSchema[],
  is: readonly JsonSchema[],
): [readonly JsonSchema[], readonly JsonSchema[]] {
  const without = (list: readonly JsonSchema[], other: readonly JsonSchema[]) => {
    const texts = new Set(other.map(canonical));
    return list.filter((each) => {
      const text = canonical(each);
      return !texts.has(text) || (!areDefsEqual && text.includes('"$ref"'));
    });
  };
  return [without(was, is), without(is, was)];
}

function listOf(value: unknown): readonly JsonSchema[] {
  return Array.isArray(value) ? (value as JsonSchema[]) : [];
}

function typeText(schema: JsonSchema | undefined): string {
  if (!isObject(schema)) return 'anything';
  const type = schema['type'];
  if (type === undefined) return typeof schema['$ref'] === 'string' ? schema['$ref'] : 'a value';
  return ([type].flat() as string[]).join(' or ');
}
