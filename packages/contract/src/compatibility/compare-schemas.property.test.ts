import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { brokenBy, type ChangeKind, type Reader } from './change.ts';
import { compareSchemas } from './compare-schemas.ts';
import { isObject, type SchemaObject } from './schema-node.ts';
import { schemaChangeCases } from './test-support/schema-change-cases.ts';
import { schemaPair, valuesFor } from './test-support/random-schemas.ts';

const numRuns = Number(process.env['SCHEMA_PAIRS'] ?? 400);
const seed = Number(process.env['SCHEMA_SEED'] ?? Date.now() % 2 ** 31);

/** Each schema and each object in it, changed. */
function everywhere(node: unknown, change: (node: SchemaObject) => SchemaObject): unknown {
  if (Array.isArray(node)) return node.map((part) => everywhere(part, change));
  if (!isObject(node)) return node;
  return change(
    Object.fromEntries(Object.entries(node).map(([key, part]) => [key, everywhere(part, change)])),
  );
}

/** What a producer writes: only fields that it declared, even where the schema does not say so. */
const asWriter = (schema: SchemaObject) =>
  everywhere(schema, (node) =>
    isObject(node['properties']) &&
    Object.keys(node['properties']).length > 0 &&
    node['additionalProperties'] === undefined
      ? { ...node, additionalProperties: false }
      : node,
  );

/** What a consumer takes: it ignores fields that it does not know (rule 108). */
const asTolerantReader = (schema: SchemaObject) =>
  everywhere(schema, (node) => {
    const { additionalProperties, ...rest } = node;
    return additionalProperties === false ? rest : node;
  });

function validator(schema: unknown): (data: unknown) => boolean {
  const validate = new Ajv2020({
    strict: false,
    validateFormats: false,
    validateSchema: false,
    code: { optimize: false },
  }).compile(schema as object);
  return (data) => validate(data) === true;
}

type Judge = (released: SchemaObject, declared: SchemaObject) => readonly ChangeKind[];
const ours: Judge = (released, declared) =>
  compareSchemas(released, declared).map(({ kind }) => kind);

/** If the judge says that a kind of reader is safe, none of its events is refused; ajv says what is refused. */
function readersAreSafe(
  judge: Judge,
  { pairs = schemaPair, counts = { safe: 0, values: 0 } } = {},
) {
  const areRead = (written: SchemaObject, read: unknown, values: readonly unknown[]) => {
    const isWritten = validator(asWriter(written));
    const sent = values.filter(isWritten);
    counts.safe += 1;
    counts.values += sent.length;
    return sent.length === 0 || sent.every(validator(read));
  };
  return fc.property(
    pairs.chain(([released, declared]) =>
      fc.record({
        released: fc.constant(released),
        declared: fc.constant(declared),
        oldData: fc.array(valuesFor(released, released), { minLength: 3, maxLength: 8 }),
        newData: fc.array(valuesFor(declared, declared), { minLength: 3, maxLength: 8 }),
      }),
    ),
    ({ released, declared, oldData, newData }) => {
      const broken = new Set<Reader>(judge(released, declared).flatMap((kind) => brokenBy(kind)));
      return (
        (broken.has('new readers') || areRead(released, declared, oldData)) &&
        (broken.has('old readers') || areRead(declared, asTolerantReader(released), newData))
      );
    },
  );
}

describe(`over ${numRuns} random pairs of schemas (seed ${seed})`, () => {
  it('whoever is said to be safe reads every event that the other schema lets through', () => {
    const counts = { safe: 0, values: 0 };
    fc.assert(readersAreSafe(ours, { counts }), { numRuns, seed });
    // Not true for want of cases.
    expect(counts.safe).toBeGreaterThan(numRuns / 4);
    expect(counts.values).toBeGreaterThan(numRuns / 4);
  });
});

/** Breaks that a validator cannot see: what an absent field means, and what a format means to whom. */
const unseen = /default|format/;
const breaking = schemaChangeCases.filter(
  ({ breaks, name }) => breaks !== 'nobody' && !unseen.test(name),
);

describe('a judge with a planted fault', () => {
  it.each(breaking)('that overlooks $kind is found out by an event: $name', (planted) => {
    const careless: Judge = (released, declared) =>
      ours(released, declared).filter((kind) => kind !== planted.kind);
    const pairs = fc.constant([planted.released, planted.declared] as const);
    const { failed, errorInstance } = fc.check(readersAreSafe(careless, { pairs }), {
      numRuns: 1000,
      seed,
      endOnFailure: true,
    });
    expect(failed).toBe(true);
    expect(String(errorInstance)).toContain('returning false');
  });
});
