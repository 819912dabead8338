import { describe, expect, test } from 'vitest';
import { eventJsonSchema, topics } from '@outbound/contract';
import { eventTypes } from './event-types.ts';
import { productChange } from './product-change.ts';

const dayMs = 86_400_000;

test('every change goes to a topic kept by time and to a compacted one, where a deletion is a tombstone', () => {
  expect(topics(eventTypes)).toEqual([
    expect.objectContaining({ topic: 'catalog.category', cleanupPolicy: 'compact' }),
    expect.objectContaining({ topic: 'catalog.category-change', cleanupPolicy: 'delete' }),
    {
      topic: 'catalog.product',
      cleanupPolicy: 'compact',
      partitions: 6,
      retentionMs: 7 * dayMs,
      forms: { C: 'value', U: 'value', D: 'tombstone', S: 'value' },
    },
    {
      topic: 'catalog.product-change',
      cleanupPolicy: 'delete',
      partitions: 6,
      retentionMs: 7 * dayMs,
      forms: { C: 'value', U: 'value', D: 'value', S: 'value' },
    },
  ]);
});

test('a value is closed: what was not declared is refused', () => {
  const value = {
    metadata: {
      eid: '01930e2a-7b1c-7000-8000-000000000002',
      event_type: 'catalog.product-change',
      occurred_at: '2026-03-01T12:00:00.000Z',
      version: productChange.version,
    },
    data_op: 'C',
    data_type: 'catalog.product',
    data: {
      id: '01930e2a-7b1c-7000-8000-000000000001',
      sku: 'A',
      name: 'A',
      attributes: {},
      status: 'ACTIVE',
      version: 1,
      created_at: '2026-03-01T12:00:00.000Z',
      updated_at: '2026-03-01T12:00:00.000Z',
    },
  };
  const taken = (changed: object) =>
    productChange.value.safeParse({ ...value, ...changed }).success;
  expect(taken({})).toBe(true);
  expect(taken({ more: 1 })).toBe(false);
  expect(taken({ data: { ...value.data, more: 1 } })).toBe(false);
  expect(taken({ metadata: { ...value.metadata, more: 1 } })).toBe(false);
  expect(taken({ data_op: 'X' })).toBe(false);
  expect(taken({ data_type: 'catalog.category' })).toBe(false);
});

describe('a published schema', () => {
  const text = JSON.stringify([...eventTypes.values()].map(eventJsonSchema));

  // Zalando rule 196; `dependencies` has two names since draft 2019-09.
  test.each([
    'additionalItems',
    'contains',
    'patternProperties',
    'dependencies',
    'dependentSchemas',
    'propertyNames',
    'const',
    'not',
    'oneOf',
  ])('has no keyword %s', (keyword) => {
    expect(text).not.toContain(`"${keyword}":`);
  });

  test('never allows additional properties but in the attributes', () => {
    expect(text).not.toContain('"additionalProperties":true');
  });
});
