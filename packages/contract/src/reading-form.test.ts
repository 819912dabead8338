import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readingForm, storedForm } from './reading-form.ts';

/** A schema with what its declaration takes, what a later producer might write, and what is neither. */
interface Case {
  readonly schema: z.ZodType;
  readonly valid: unknown;
  /** @param isGuarded limits are kept, so only unknown members may be in it. */
  readonly later: (isGuarded: boolean) => unknown;
  readonly broken: unknown;
}

const leaf: Case = {
  schema: z.strictObject({ id: z.string().max(2), n: z.int().min(1).optional() }),
  valid: { id: 'a', n: 1 },
  later: (isGuarded) => (isGuarded ? { id: 'a', more: [1] } : { id: 'long', n: -5, more: [1] }),
  broken: { id: 7 },
};

const same = (wrap: (schema: z.ZodType) => z.ZodType) => (each: Case) => ({
  ...each,
  schema: wrap(each.schema),
});
const guarded = (wrap: (schema: z.ZodType) => z.ZodType) => (each: Case) => ({
  ...same(wrap)(each),
  later: () => each.later(true),
});
const around =
  (wrap: (schema: z.ZodType) => z.ZodType, put: (value: unknown) => unknown) => (each: Case) => ({
    schema: wrap(each.schema),
    valid: put(each.valid),
    later: (isGuarded: boolean) => put(each.later(isGuarded)),
    broken: put(each.broken),
  });

/** Each puts a schema into something of zod's that has schemas inside. */
const wrappers: Readonly<Record<string, (each: Case) => Case>> = {
  optional: same((schema) => schema.optional()),
  exactOptional: same((schema) => schema.exactOptional()),
  nullable: same((schema) => schema.nullable()),
  nullish: same((schema) => schema.nullish()),
  default: same((schema) => schema.default(null)),
  prefault: same((schema) => schema.prefault(null)),
  readonly: same((schema) => schema.readonly()),
  nonoptional: same((schema) => z.nonoptional(schema.optional())),
  brand: same((schema) => schema.brand('b')),
  lazy: same((schema) => z.lazy(() => schema)),
  union: same((schema) => z.union([z.number(), schema])),
  xor: same((schema) => z.xor([z.number(), schema])),
  transform: guarded((schema) => schema.transform((value) => value)),
  pipe: guarded((schema) => schema.pipe(z.unknown())),
  preprocess: same((schema) => z.preprocess((value) => value, schema)),
  codec: guarded((schema) =>
    z.codec(schema, z.unknown(), { decode: (value) => value, encode: () => null }),
  ),
  array: around(
    (schema) => z.array(schema).max(1),
    (value) => [value],
  ),
  tuple: around(
    (schema) => z.tuple([z.string(), schema]),
    (value) => ['t', value],
  ),
  'tuple with rest': around(
    (schema) => z.tuple([z.string()], schema),
    (value) => ['t', value],
  ),
  record: around(
    (schema) => z.record(z.string(), schema),
    (value) => ({ key: value }),
  ),
  'record of an enum': around(
    (schema) => z.record(z.enum(['key']), schema),
    (value) => ({ key: value }),
  ),
  map: around(
    (schema) => z.map(z.string(), schema),
    (value) => new Map([['key', value]]),
  ),
  set: around(
    (schema) => z.set(schema),
    (value) => new Set([value]),
  ),
  object: around(
    (schema) => z.strictObject({ member: schema, more: z.string().optional() }),
    (value) => ({ member: value }),
  ),
  catchall: around(
    (schema) => z.object({}).catchall(schema),
    (value) => ({ any: value }),
  ),
  'discriminated union': around(
    (schema) =>
      z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('a') }),
        z.strictObject({ kind: z.literal('b'), member: schema }),
      ]),
    (value) => ({ kind: 'b', member: value }),
  ),
  intersection: around(
    (schema) =>
      z.intersection(
        z.strictObject({ member: schema }),
        z.strictObject({ other: z.string().transform(Number) }).partial(),
      ),
    (value) => ({ member: value }),
  ),
  refine: same((schema) => schema.refine((value) => value !== 'never')),
};

const wrapped: fc.Arbitrary<readonly string[]> = fc.array(
  fc.constantFrom(...Object.keys(wrappers)),
  { maxLength: 5 },
);

function build(names: readonly string[]): Case {
  return names.reduce((each, name) => wrappers[name]?.(each) ?? each, leaf);
}

function outcome(schema: z.ZodType, value: unknown): unknown {
  const { success, data } = schema.safeParse(value);
  return success ? { data } : 'refused';
}

describe('the reading form', () => {
  it.each(Object.keys(wrappers))('reaches what is in a schema of the kind %s', (name) => {
    const { schema, later, broken } = build([name]);
    expect(outcome(schema, later(false))).toBe('refused');
    expect(outcome(readingForm(schema), later(false))).toEqual({ data: later(false) });
    expect(outcome(readingForm(schema), broken)).toBe('refused');
  });

  it('reaches through any nesting, takes what the declaration takes alike, and refuses other types; compiled too', () => {
    fc.assert(
      fc.property(wrapped, (names) => {
        const { schema, valid, later, broken } = build(names);
        for (const form of [readingForm(schema), z.compile(readingForm(schema))]) {
          expect(outcome(form, valid)).toEqual(outcome(schema, valid));
          expect(outcome(form, later(false))).toEqual({ data: later(false) });
          expect(outcome(form, broken)).toBe('refused');
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('lets a catch keep what it can read', () => {
    const schema = z.strictObject({ a: z.int() }).catch({ a: 0 });
    expect(readingForm(schema).parse({ a: 1, b: 2 })).toEqual({ a: 1, b: 2 });
    expect(readingForm(schema).parse({ a: 'x' })).toEqual({ a: 0 });
  });

  it('gives each reading a default of its own', () => {
    const form = readingForm(z.strictObject({ list: z.array(z.int()).default(() => []) }));
    expect(form.parse({}).list).not.toBe(form.parse({}).list);
  });

  it('ends for a schema that has itself inside, in both ways of writing one', () => {
    const byGetter = z.strictObject({
      name: z.string().max(1),
      get children() {
        return z.array(byGetter).optional();
      },
    });
    interface Tree {
      name: string;
      children?: Tree[] | undefined;
    }
    const byLazy: z.ZodType<Tree> = z.strictObject({
      name: z.string().max(1),
      children: z.lazy(() => z.array(byLazy)).optional(),
    });
    const tree = { name: 'root', more: 1, children: [{ name: 'leaf', children: [], more: 2 }] };
    const endless = (): z.ZodType =>
      z.strictObject({
        name: z.string().max(1),
        get children() {
          return z.array(endless()).optional();
        },
      });
    // The second was resolved by a reading before it is derived.
    const resolved = byGetter.clone();
    expect(resolved.safeParse(tree).success).toBe(false);
    for (const schema of [byGetter, resolved, byLazy, endless()]) {
      expect(readingForm(schema).parse(tree)).toEqual(tree);
      expect(schema.safeParse(tree).success).toBe(false);
      expect(readingForm(schema).safeParse({ name: 'r', children: [{}] }).success).toBe(false);
    }
  });

  it('drops lists of codes, lengths, patterns, formats and refinements, and keeps types', () => {
    const currency = z.string().refine((code) => ['EUR', 'USD'].includes(code));
    expect(readingForm(currency).parse('QQQ')).toBe('QQQ');
    expect(readingForm(z.uuidv7()).parse('any')).toBe('any');
    expect(readingForm(z.iso.datetime()).safeParse(1).success).toBe(false);
    expect(readingForm(z.number().int().min(5)).parse(1)).toBe(1);
    expect(readingForm(z.int()).safeParse(1.5).success).toBe(false);
    expect(readingForm(z.enum(['a'])).safeParse('b').success).toBe(false);
    expect(readingForm(z.string().trim().min(9)).parse(' a ')).toBe('a');
  });

  it('keeps the check that a transformation relies on', () => {
    const cents = z
      .number()
      .refine((value) => Number.isInteger(value))
      .transform((value) => value / 100);
    expect(readingForm(cents).parse(250)).toBe(2.5);
    expect(readingForm(cents).safeParse(0.5).success).toBe(false);
  });

  it('is made once for a schema, and leaves the schema as it is', () => {
    const schema = z.strictObject({ id: z.uuidv7() });
    expect(readingForm(schema)).toBe(readingForm(schema));
    expect(schema.safeParse({ id: 'any' }).success).toBe(false);
  });
});

describe('the stored form', () => {
  it('takes a value of an enum that is no longer sent, and no other type', () => {
    const status = z.enum(['NEW']);
    expect(storedForm(z.strictObject({ status })).safeParse({ status: 'OLD' }).success).toBe(true);
    expect(storedForm(status).safeParse(1).success).toBe(false);
    const union = z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('a'), status }),
      z.strictObject({ kind: z.literal('b'), count: z.int() }),
    ]);
    expect(storedForm(union).safeParse({ kind: 'a', status: 'OLD' }).success).toBe(true);
    expect(storedForm(union).safeParse({ kind: 'b', count: 'x' }).success).toBe(false);
  });
});
