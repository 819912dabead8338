import type { ChangeKind, Level } from '../change.ts';

/** One change of a schema and what Zalando's rules say of it; also put to a real registry, to see where it judges otherwise. */
export interface SchemaChangeCase {
  readonly name: string;
  readonly released: Record<string, unknown>;
  readonly declared: Record<string, unknown>;
  readonly kind: ChangeKind;
  readonly path: string;
  readonly breaks: string;
  readonly level: Level;
  /** Where mode `forward` says something else. */
  readonly forwardLevel?: Level;
}

const text = { type: 'string' };
const old = 'old readers';
const fresh = 'new readers';
const both = 'old readers and new readers';

/** A closed object with one required field `id` and what the case is about. */
function value(properties: object, required: readonly string[] = []): Record<string, unknown> {
  return {
    type: 'object',
    properties: { id: text, ...properties },
    required: ['id', ...required],
    additionalProperties: false,
  };
}

const field = (was: object, is: object) => ({
  released: value({ a: was }),
  declared: value({ a: is }),
});

/** Each kind of change once or more, over rules 112, 196, 209, 210, 245 and 246. */
export const schemaChangeCases: readonly SchemaChangeCase[] = [
  {
    name: 'a description',
    ...field(text, { ...text, description: 'What it is.' }),
    kind: 'text changed',
    path: 'a',
    breaks: 'nobody',
    level: 'PATCH',
  },
  {
    name: 'an optional field added',
    released: value({}),
    declared: value({ a: text }),
    kind: 'optional field added',
    path: 'a',
    breaks: 'nobody',
    level: 'MINOR',
  },
  {
    name: 'a required field added',
    released: value({}),
    declared: value({ a: text }, ['a']),
    kind: 'required field added',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'an optional field removed',
    released: value({ a: text }),
    declared: value({}),
    kind: 'optional field removed',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'a required field removed',
    released: value({ a: text }, ['a']),
    declared: value({}),
    kind: 'required field removed',
    path: 'a',
    breaks: both,
    level: 'MAJOR',
  },
  {
    name: 'an optional field made required',
    released: value({ a: text }),
    declared: value({ a: text }, ['a']),
    kind: 'field made required',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'a required field made optional',
    released: value({ a: text }, ['a']),
    declared: value({ a: text }),
    kind: 'field made optional',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'an enum value added',
    ...field({ ...text, enum: ['X'] }, { ...text, enum: ['X', 'Y'] }),
    kind: 'enum value added',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'an enum value removed',
    ...field({ ...text, enum: ['X', 'Y'] }, { ...text, enum: ['X'] }),
    kind: 'enum value removed',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
    forwardLevel: 'MINOR',
  },
  {
    name: 'an enum introduced',
    ...field(text, { ...text, enum: ['X'] }),
    kind: 'enum introduced',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'an enum dropped',
    ...field({ ...text, enum: ['X'] }, text),
    kind: 'enum dropped',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'a value added to an extensible enum (x-extensible-enum)',
    ...field({ ...text, 'x-extensible-enum': ['X'] }, { ...text, 'x-extensible-enum': ['X', 'Y'] }),
    kind: 'extensible enum changed',
    path: 'a',
    breaks: 'nobody',
    level: 'MINOR',
  },
  {
    name: 'a value added to an extensible enum (examples)',
    ...field(
      { ...text, description: 'Extensible enum. How.', examples: ['X'] },
      { ...text, description: 'Extensible enum. How.', examples: ['X', 'Y'] },
    ),
    kind: 'extensible enum changed',
    path: 'a',
    breaks: 'nobody',
    level: 'MINOR',
  },
  {
    name: 'another type',
    ...field(text, { type: 'integer' }),
    kind: 'type changed',
    path: 'a',
    breaks: both,
    level: 'MAJOR',
  },
  {
    name: 'integer to number',
    ...field({ type: 'integer' }, { type: 'number' }),
    kind: 'type widened',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'number to integer',
    ...field({ type: 'number' }, { type: 'integer' }),
    kind: 'type narrowed',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'null allowed',
    ...field(text, { type: ['string', 'null'] }),
    kind: 'type widened',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'a longer text',
    ...field({ ...text, maxLength: 3 }, { ...text, maxLength: 4 }),
    kind: 'constraint relaxed',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'a shorter text',
    ...field({ ...text, maxLength: 4 }, { ...text, maxLength: 3 }),
    kind: 'constraint tightened',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'a higher minimum',
    ...field({ type: 'number', minimum: 0 }, { type: 'number', minimum: 1 }),
    kind: 'constraint tightened',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'finer steps',
    ...field({ type: 'number', multipleOf: 0.0003 }, { type: 'number', multipleOf: 0.0001 }),
    kind: 'constraint relaxed',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'steps that binary floats cannot decide, dropped',
    ...field({ type: 'number', multipleOf: 0.01 }, { type: 'number' }),
    kind: 'undecidable multiple dropped',
    path: 'a',
    breaks: 'nobody',
    level: 'MINOR',
  },
  {
    name: 'steps of two, dropped',
    ...field({ type: 'number', multipleOf: 2 }, { type: 'number' }),
    kind: 'constraint relaxed',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'another pattern',
    ...field({ ...text, pattern: '^a' }, { ...text, pattern: '^b' }),
    kind: 'constraint changed',
    path: 'a',
    breaks: both,
    level: 'MAJOR',
  },
  {
    name: 'a format that was not there',
    ...field(text, { ...text, format: 'uuid' }),
    kind: 'constraint tightened',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'another default',
    ...field({ ...text, default: 'x' }, { ...text, default: 'y' }),
    kind: 'default changed',
    path: 'a',
    breaks: both,
    level: 'MAJOR',
  },
  {
    name: 'a field inside an array made optional',
    ...field(
      { type: 'array', items: value({ b: text }, ['b']) },
      { type: 'array', items: value({ b: text }) },
    ),
    kind: 'field made optional',
    path: 'a[].b',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'places of a tuple',
    ...field(
      { type: 'array', prefixItems: [text], items: false },
      { type: 'array', prefixItems: [text, text], items: false },
    ),
    kind: 'tuple changed',
    path: 'a',
    breaks: both,
    level: 'MAJOR',
  },
  {
    name: 'additional properties allowed',
    released: value({}),
    declared: { ...value({}), additionalProperties: true },
    kind: 'map opened',
    path: '',
    breaks: 'nobody',
    level: 'MAJOR',
  },
  {
    name: 'a map closed',
    ...field({ type: 'object' }, { type: 'object', additionalProperties: false }),
    kind: 'map closed',
    path: 'a',
    breaks: fresh,
    level: 'MAJOR',
  },
  {
    name: 'other values of a map',
    ...field(
      { type: 'object', additionalProperties: text },
      { type: 'object', additionalProperties: { type: 'integer' } },
    ),
    kind: 'type changed',
    path: 'a.*',
    breaks: both,
    level: 'MAJOR',
  },
  {
    name: 'additionalProperties: false left out',
    released: value({}),
    declared: { type: 'object', properties: { id: text }, required: ['id'] },
    kind: 'content model stated',
    path: '',
    breaks: 'nobody',
    level: 'MINOR',
  },
  {
    name: 'an alternative added',
    ...field(
      { anyOf: [text, { type: 'integer' }] },
      { anyOf: [text, { type: 'integer' }, { type: 'boolean' }] },
    ),
    kind: 'alternative added',
    path: 'a',
    breaks: old,
    level: 'MAJOR',
  },
  {
    name: 'a condition between fields (co-occurrence)',
    released: value({ a: text, b: text }),
    declared: { ...value({ a: text, b: text }), dependentRequired: { a: ['b'] } },
    kind: 'keyword changed',
    path: '',
    breaks: both,
    level: 'MAJOR',
  },
];
