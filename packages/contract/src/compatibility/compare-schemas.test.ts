import { describe, expect, it } from 'vitest';
import { brokenBy, levelOf } from './change.ts';
import { compareSchemas } from './compare-schemas.ts';
import { verdictOf } from './judge-event-type.ts';
import { schemaChangeCases } from './test-support/schema-change-cases.ts';

const object = (properties: object, more: object = {}) => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...more,
});

describe('comparing two schemas', () => {
  it.each(schemaChangeCases)(
    '$name is $level, breaks $breaks',
    ({ released, declared, kind, path, breaks, level, forwardLevel }) => {
      const changes = compareSchemas(released, declared);
      expect(changes.map((change) => [change.kind, change.path])).toEqual([[kind, path]]);
      expect(changes.flatMap((change) => brokenBy(change.kind)).join(' and ') || 'nobody').toBe(
        breaks,
      );
      expect(verdictOf(changes, 'compatible')).toBe(level);
      expect(verdictOf(changes, 'none')).toBe(level);
      expect(verdictOf(changes, 'forward')).toBe(forwardLevel ?? level);
    },
  );

  it('finds nothing between a schema and itself, in whatever order it is written', () => {
    const schema = object(
      { a: { type: 'string' }, b: { type: ['integer', 'null'], minimum: 1 } },
      { required: ['a', 'b'] },
    );
    const turned = object(
      { b: { minimum: 1, type: ['null', 'integer'] }, a: { type: 'string' } },
      { required: ['b', 'a'] },
    );
    expect(compareSchemas(schema, turned)).toEqual([]);
    expect(verdictOf([], 'compatible')).toBeUndefined();
  });

  it('takes every way to say "or null" for the same', () => {
    const ways = [
      { type: ['string', 'null'], minLength: 1 },
      { type: 'string', minLength: 1, nullable: true },
      { anyOf: [{ type: 'string', minLength: 1 }, { type: 'null' }] },
    ].map((a) => object({ a }));
    for (const from of ways) for (const to of ways) expect(compareSchemas(from, to)).toEqual([]);
  });

  it('looks through references, also where a schema contains itself', () => {
    const tree = (label: object) => ({
      ...object({ root: { $ref: '#/$defs/node' } }),
      $defs: {
        node: object({ label, children: { type: 'array', items: { $ref: '#/$defs/node' } } }),
      },
    });
    const text = tree({ type: 'string' });
    expect(compareSchemas(text, text)).toEqual([]);
    expect(compareSchemas(text, tree({ type: 'integer' }))).toEqual([
      { kind: 'type changed', path: 'root.label', detail: 'string became integer' },
    ]);
  });

  it('refuses a reference that leads nowhere, with the reference', () => {
    const lost = object({ a: { $ref: '#/$defs/lost' } });
    expect(() => compareSchemas(lost, lost)).toThrow('#/$defs/lost leads nowhere');
    const far = object({ a: { $ref: 'https://example.com/a.json' } });
    expect(() => compareSchemas(far, far)).toThrow('leads out of the document');
    const loop = { ...object({ a: { $ref: '#/$defs/b' } }), $defs: { b: { $ref: '#/$defs/b' } } };
    expect(() => compareSchemas(loop, loop)).toThrow('leads to itself');
  });

  it('names every change of a renamed field', () => {
    const changes = compareSchemas(
      object({ name: { type: 'string' } }, { required: ['name'] }),
      object({ label: { type: 'string' } }, { required: ['label'] }),
    );
    expect(changes.map(({ kind, path }) => `${path}: ${kind}`)).toEqual([
      'name: required field removed',
      'label: required field added',
    ]);
  });

  it('lets only old events decide in mode forward, and there only what rule 209 names', () => {
    expect(levelOf('enum value removed', 'forward')).toBe('MINOR');
    expect(levelOf('enum value removed', 'compatible')).toBe('MAJOR');
    expect(levelOf('field made required', 'forward')).toBe('MAJOR');
  });
});
