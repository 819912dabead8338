import { eventTypes } from '@outbound/schemas';
import { expect, test } from 'vitest';
import { stateTopicOf, topicNamed } from './topic-name.ts';

test('a declared topic gets the prefix, and any other name is taken as it is', () => {
  expect(topicNamed('catalog.product', eventTypes, '')).toBe('catalog.product');
  expect(topicNamed('catalog.product', eventTypes, 'dev.')).toBe('dev.catalog.product');
  expect(topicNamed('dev.catalog.product', eventTypes, 'dev.')).toBe('dev.catalog.product');
  expect(topicNamed('orders', eventTypes, 'dev.')).toBe('orders');
});

test('an event type means its topic with every change', () => {
  expect(topicNamed('catalog.product-change', eventTypes, 'dev.')).toBe(
    'dev.catalog.product-change',
  );
  const [declared] = eventTypes.values();
  if (!declared) throw new Error('no event type is declared');
  const other = new Map([['something.else', declared]]);
  expect(topicNamed('something.else', other, 'dev.')).toBe('dev.catalog.product-change');
});

test('the compacted topic beside a topic is known from the declaration', () => {
  expect(stateTopicOf('dev.catalog.product-change', eventTypes, 'dev.')).toBe(
    'dev.catalog.product',
  );
  expect(stateTopicOf('orders', eventTypes, 'dev.')).toBeUndefined();
});
