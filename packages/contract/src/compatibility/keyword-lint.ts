import { isObject } from './schema-node.ts';

/** Keywords that an event schema must not have. Source: Zalando rule 196; `dependencies` has two more names since draft 2019-09. */
const forbidden = new Set([
  'additionalItems',
  'contains',
  'patternProperties',
  'dependencies',
  'dependentSchemas',
  'dependentRequired',
  'propertyNames',
  'const',
  'not',
  'oneOf',
]);

/** Keywords whose value holds names of ours and not keywords. */
const named = new Set(['properties', '$defs', 'definitions']);
/** Keywords whose value is data. */
const data = new Set(['enum', 'examples', 'example', 'default', 'x-extensible-enum']);

/** One thing that an event schema must not say. */
export interface KeywordFault {
  /** JSON pointer into the schema. */
  readonly pointer: string;
  readonly text: string;
  readonly rule: number;
}

/**
 * What Zalando's rules forbid in any version of an event schema: the keywords that OpenAPI's schema object lacks (rule 196), and
 * `additionalProperties: true`, an open door for fields that nobody defined (rule 210); and a `multipleOf` that binary floats cannot decide (rule 173 warns of them).
 */
export function lintKeywords(schema: unknown): readonly KeywordFault[] {
  const faults: KeywordFault[] = [];
  lintAt(schema, '', faults);
  return faults;
}

/**
 * Whether a `multipleOf` can be decided with binary floats, as nearly every validator does: 2, 0.5 or 0.25, and not 0.01, of which 19.99 is no multiple
 * to them. A decimal with n digits after the point is a binary fraction if 5ⁿ divides its digits.
 */
export function isBinaryFloat(value: unknown): boolean {
  const [, whole = '', fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(String(value)) ?? [];
  return whole !== '' && BigInt(whole + fraction) % 5n ** BigInt(fraction.length) === 0n;
}

function lintAt(schema: unknown, pointer: string, faults: KeywordFault[]): void {
  if (Array.isArray(schema))
    schema.forEach((each, index) => lintAt(each, `${pointer}/${index}`, faults));
  if (!isObject(schema)) return;
  for (const [keyword, value] of Object.entries(schema)) {
    const at = `${pointer}/${keyword}`;
    if (forbidden.has(keyword))
      faults.push({ pointer: at, text: `the keyword ${keyword} is not allowed`, rule: 196 });
    if (keyword === 'multipleOf' && !isBinaryFloat(value))
      faults.push({
        pointer: at,
        text: `binary floats do not decide multiples of ${String(value)}, so say the digits in words`,
        rule: 173,
      });
    if (keyword === 'additionalProperties' && value === true)
      faults.push({ pointer: at, text: 'define the fields that may come', rule: 210 });
    if (data.has(keyword)) continue;
    if (named.has(keyword) && isObject(value))
      for (const [name, part] of Object.entries(value)) lintAt(part, `${at}/${name}`, faults);
    else lintAt(value, at, faults);
  }
}
