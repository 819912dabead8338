import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { changeRoute, defineEventType, stateRoute } from '../event-type.ts';
import { dataChangeEvent } from './data-change-event.ts';
import { eventTypeRegistry, topics } from './event-types.ts';

const dayMs = 86_400_000;

const orderChange = dataChangeEvent({
  dataType: 'shop.order',
  version: '1.0.0',
  owner: 'shop',
  data: z.strictObject({ id: z.string(), version: z.int() }),
  partitions: 6,
});

describe('a registry', () => {
  const tick = (name: string, partitions = 1) =>
    defineEventType({
      ...orderChange,
      name,
      routes: [changeRoute('bench.tick', { partitions, retentionMs: dayMs })],
    });

  test('refuses one name twice', () => {
    expect(() => eventTypeRegistry([orderChange, orderChange])).toThrow('declared twice');
  });

  test('lets event types share a topic, declared alike', () => {
    expect(topics(eventTypeRegistry([tick('a.b'), tick('a.c')]))).toHaveLength(1);
    expect(() => eventTypeRegistry([tick('a.b'), tick('a.c', 2)])).toThrow(
      'event type a.c: topic bench.tick is declared differently elsewhere',
    );
  });
});

describe('a declaration', () => {
  const route = stateRoute('shop.thing', { partitions: 1, retentionMs: dayMs });
  const define = (changed: object) => () => defineEventType({ ...orderChange, ...changed });

  test.each([
    [{ name: 'Product' }, 'the name must be'],
    [{ version: '1.0' }, 'version 1.0 is not semver'],
    [{ routes: [] }, 'it has no route'],
    [{ routes: [{ ...route, topic: 'Has_Capitals' }] }, 'is not a topic name'],
    [{ routes: [route, route] }, 'routed to twice'],
    [{ routes: [{ ...route, partitions: 0 }] }, 'at least one partition'],
    [{ routes: [{ ...route, cleanupPolicy: 'delete' }] }, 'a tombstone means nothing there'],
  ])('that breaks a rule names the event type and the field: %j', (changed, message) => {
    expect(define(changed)).toThrow(message);
  });

  test('is frozen', () => {
    expect(Object.isFrozen(orderChange)).toBe(true);
  });
});
