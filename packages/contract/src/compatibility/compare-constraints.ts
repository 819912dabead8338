import type { ChangeKind } from './change.ts';
import { isBinaryFloat } from './keyword-lint.ts';
import { canonical, typesOf, type SchemaObject } from './schema-node.ts';

/** Notes a change at the place that is compared. */
export type Note = (kind: ChangeKind, detail: string) => void;

const textKeywords = [
  'title',
  'description',
  'examples',
  'example',
  '$comment',
  'deprecated',
  'readOnly',
];

/** Words for people (PATCH), and the default, which is none of them. */
export function compareWords(from: SchemaObject, to: SchemaObject, note: Note): void {
  for (const keyword of textKeywords)
    if (
      !(keyword === 'examples' && (extensibleValues(from) ?? extensibleValues(to))) &&
      canonical(from[keyword] ?? null) !== canonical(to[keyword] ?? null)
    )
      note('text changed', keyword);
  if (canonical([from['default']]) !== canonical([to['default']]))
    note('default changed', `${shown(from['default'])} became ${shown(to['default'])}`);
}

/** @returns false if no value fits both, so that nothing below can be compared. */
export function compareTypes(from: SchemaObject, to: SchemaObject, note: Note): boolean {
  const [was, is] = [typesOf(from), typesOf(to)];
  const added = [...is].filter((type) => !was.has(type));
  const removed = [...was].filter((type) => !is.has(type));
  const detail = `${typeName(was)} became ${typeName(is)}`;
  if (added.length > 0 && removed.length > 0) note('type changed', detail);
  else if (added.length > 0) note('type widened', detail);
  else if (removed.length > 0) note('type narrowed', detail);
  return [...was].some((type) => is.has(type));
}

/** `enum`, and the extensible one, whose readers are prepared for any other value (rule 112). */
export function compareEnums(from: SchemaObject, to: SchemaObject, note: Note): void {
  const [was, is] = [valuesOf(from, 'enum'), valuesOf(to, 'enum')];
  if (was && is) {
    for (const value of is) if (!was.has(value)) note('enum value added', value);
    for (const value of was) if (!is.has(value)) note('enum value removed', value);
  } else if (is) note('enum introduced', [...is].join(', '));
  else if (was)
    note('enum dropped', extensibleValues(to) ? 'it became extensible' : 'any value may come');
  const [wasOpen, isOpen] = [extensibleValues(from), extensibleValues(to)];
  const [before, after] = [sortedText(wasOpen), sortedText(isOpen)];
  if (before !== after) note('extensible enum changed', `${before} became ${after}`);
}

function sortedText(values: ReadonlySet<string> | undefined): string {
  return values === undefined ? 'none' : [...values].sort().join(', ');
}

/** Values of an extensible enum: `examples` under a description that says so, or the older `x-extensible-enum`. Source: rule 112. */
function extensibleValues(node: SchemaObject): ReadonlySet<string> | undefined {
  const { description } = node;
  const isSaid = typeof description === 'string' && /^\[?extensible enum/i.test(description);
  return valuesOf(node, 'x-extensible-enum') ?? (isSaid ? valuesOf(node, 'examples') : undefined);
}

/** Lower and upper bounds of numbers, lengths and counts, and the multiple. */
export function compareBounds(from: SchemaObject, to: SchemaObject, note: Note): void {
  const differ = (keyword: string, was: number, is: number, isUpper: boolean) => {
    if (was === is) return;
    const isRelaxed = isUpper ? is > was : is < was;
    note(
      isRelaxed ? 'constraint relaxed' : 'constraint tightened',
      `${keyword} ${limit(was)} became ${limit(is)}`,
    );
  };
  for (const keyword of ['maxLength', 'maxItems', 'maxProperties'])
    differ(keyword, numberOf(from[keyword], Infinity), numberOf(to[keyword], Infinity), true);
  for (const keyword of ['minLength', 'minItems', 'minProperties'])
    differ(keyword, numberOf(from[keyword], 0), numberOf(to[keyword], 0), false);
  differ('minimum', ...pair(from, to, 'minimum', -Infinity), false);
  differ('exclusiveMinimum', ...pair(from, to, 'exclusiveMinimum', -Infinity), false);
  differ('maximum', ...pair(from, to, 'maximum', Infinity), true);
  differ('exclusiveMaximum', ...pair(from, to, 'exclusiveMaximum', Infinity), true);
  compareMultiples(from['multipleOf'], to['multipleOf'], note);
  if ((from['uniqueItems'] === true) !== (to['uniqueItems'] === true))
    note(to['uniqueItems'] === true ? 'constraint tightened' : 'constraint relaxed', 'uniqueItems');
}

function pair(
  from: SchemaObject,
  to: SchemaObject,
  keyword: string,
  none: number,
): [number, number] {
  return [numberOf(from[keyword], none), numberOf(to[keyword], none)];
}

function compareMultiples(was: unknown, is: unknown, note: Note): void {
  if (was === is) return;
  const detail = `multipleOf ${shown(was)} became ${shown(is)}`;
  if (typeof is !== 'number')
    note(isBinaryFloat(was) ? 'constraint relaxed' : 'undecidable multiple dropped', detail);
  else if (typeof was !== 'number') note('constraint tightened', detail);
  else if (isMultiple(is, was)) note('constraint tightened', detail);
  else note(isMultiple(was, is) ? 'constraint relaxed' : 'constraint changed', detail);
}

/** Decimal fractions have no exact doubles: 0.0003 / 0.0001 is a whole number but for the last digit. */
function isMultiple(value: number, of: number): boolean {
  const ratio = value / of;
  return Math.abs(ratio - Math.round(ratio)) < 1e-9 && Math.round(ratio) !== 0;
}

/** `pattern` and `format`: one can be there or not, but two of them cannot be compared. */
export function compareTexts(from: SchemaObject, to: SchemaObject, note: Note): void {
  for (const keyword of ['pattern', 'format', 'contentEncoding', 'contentMediaType']) {
    const [was, is] = [from[keyword], to[keyword]];
    if (was === is) continue;
    const kind: ChangeKind =
      was === undefined
        ? 'constraint tightened'
        : is === undefined
          ? 'constraint relaxed'
          : 'constraint changed';
    note(kind, `${keyword} ${shown(was)} became ${shown(is)}`);
  }
}

const opaque = [
  ...['not', 'oneOf', 'if', 'then', 'else', 'patternProperties', 'propertyNames', 'contains'],
  ...['minContains', 'maxContains', 'dependencies', 'dependentRequired', 'dependentSchemas'],
  ...['unevaluatedProperties', 'unevaluatedItems', 'additionalItems', 'discriminator'],
];

/** Keywords whose sets of values cannot be compared: equal, or a break. `areDefsEqual`: whether a reference means the same on both sides. */
export function compareOpaque(
  from: SchemaObject,
  to: SchemaObject,
  { note, areDefsEqual }: { readonly note: Note; readonly areDefsEqual: boolean },
): void {
  for (const keyword of opaque) {
    const [was, is] = [canonical(from[keyword] ?? null), canonical(to[keyword] ?? null)];
    if (was !== is || (!areDefsEqual && was.includes('"$ref"'))) note('keyword changed', keyword);
  }
}

function valuesOf(node: SchemaObject, keyword: string): ReadonlySet<string> | undefined {
  const values = node[keyword];
  return Array.isArray(values) ? new Set(values.map(canonical)) : undefined;
}

function numberOf(value: unknown, none: number): number {
  return typeof value === 'number' ? value : none;
}

function typeName(types: ReadonlySet<string>): string {
  if (types.size === 7) return 'any type';
  const names = [...types].filter((type) => type !== 'fraction' && type !== 'integer');
  if (types.has('fraction')) names.push('number');
  else if (types.has('integer')) names.push('integer');
  return names.sort().join(' or ');
}

function limit(value: number): string {
  return Number.isFinite(value) ? String(value) : 'none';
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}
