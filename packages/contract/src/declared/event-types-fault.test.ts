import { changeRoute, stateRoute } from '../event-type.ts';
import { describe, expect, it } from 'vitest';
import { eventTypesFaults } from './event-types-fault.ts';

const changes = changeRoute('shop.order-change', { partitions: 6, retentionMs: 1000 });
const state = stateRoute('shop.order', { partitions: 6, retentionMs: 1000 });
const order = {
  name: 'shop.order-change',
  owner: 'shop',
  dataType: 'shop.order',
  version: '1.0.0',
  routes: [changes, state],
};
const parcel = { ...order, name: 'shop.parcel-change', dataType: 'shop.parcel' };

describe('declarations from outside', () => {
  it('are taken when they are whole; two event types may share topics of which they say the same', () => {
    expect(eventTypesFaults([order])).toEqual([]);
    expect(eventTypesFaults([order, parcel])).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['no object', 7, 'declaration 1 is no object'],
    ['no name', { ...order, name: '' }, 'declaration 1: name must be text'],
    ['no owner', { ...order, owner: undefined }, 'owner must be text'],
    ['no version', { ...order, version: 1 }, 'version must be text'],
    ['no routes', { ...order, routes: [] }, 'its events go nowhere'],
    ['a route that is none', { ...order, routes: [null] }, 'a route is no object'],
    ['two routes to one topic', { ...order, routes: [changes, changes] }, 'is routed to twice'],
    ['a topic that is none', { ...order, routes: [{ ...changes, topic: 'A B' }] }, '"A B"'],
    ['no partitions', { ...order, routes: [{ ...changes, partitions: '6' }] }, 'its partitions'],
    ['no retention', { ...order, routes: [{ ...changes, retentionMs: null }] }, 'its retentionMs'],
    ['no policy', { ...order, routes: [{ ...changes, cleanupPolicy: 'x' }] }, 'cleanupPolicy'],
    ['no forms', { ...order, routes: [{ ...changes, forms: undefined }] }, 'forms.C'],
    [
      'a form that is none',
      { ...order, routes: [{ ...changes, forms: { ...changes.forms, D: 'delete' } }] },
      'forms.D what it gets: value, tombstone, skip',
    ],
    [
      'a tombstone that nobody compacts',
      { ...order, routes: [{ ...state, cleanupPolicy: 'delete' }] },
      'a tombstone for D means nothing there',
    ],
  ])('with %s are refused in one sentence', (_, declared, words) => {
    const faults = eventTypesFaults([declared]);
    expect(faults.join('; ')).toContain(words);
  });

  it('that contradict each other are refused: one name twice, one topic with two sizes', () => {
    expect(eventTypesFaults([order, order])).toEqual(['shop.order-change is declared twice']);
    const larger = { ...parcel, routes: [{ ...changes, partitions: 12 }] };
    expect(eventTypesFaults([order, larger])).toEqual([
      'topic shop.order-change has partitions 6 in shop.order-change and 12 in shop.parcel-change',
    ]);
  });
});
