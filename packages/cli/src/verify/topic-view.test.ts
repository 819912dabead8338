import { expect, test } from 'vitest';
import { TopicView } from './topic-view.ts';

const record = (offset: bigint, value: string | null) => ({
  partition: 0,
  offset,
  key: Buffer.from('a'),
  value: value === null ? null : Buffer.from(value),
});

test('reading goes on behind the last record, or where the topic begins by now', () => {
  const view = new TopicView('t', 1);
  expect(view.nextOffset(0, { low: 3n, high: 9n })).toBe(3n);
  view.take([record(3n, '{}'), record(5n, null)]);
  expect(view.nextOffset(0, { low: 0n, high: 6n })).toBe(6n);
  expect(view.nextOffset(0, { low: 8n, high: 9n })).toBe(8n);
  expect(view.index.recordOf(view.index.find('a') ?? -1)).toEqual({ form: 'tombstone' });
});

test('keys that are no text are kept apart', () => {
  const view = new TopicView('t', 1);
  for (const hex of ['fffe0001', 'ffff0001', 'efbfbd'])
    view.take([{ ...record(1n, null), key: Buffer.from(hex, 'hex') }]);
  expect(view.index.size).toBe(3);
});

test('a topic that ends before what was read is another topic, so nothing is said of it', () => {
  const view = new TopicView('t', 1);
  view.take([record(5n, null)]);
  expect(() => view.nextOffset(0, { low: 0n, high: 2n })).toThrow(
    expect.objectContaining({ code: 'TOPIC_CHANGED' }),
  );
});

test('a topic that was made again and is longer than what was read is another topic all the same', () => {
  const view = new TopicView('t', 2);
  view.nextOffset(0, { low: 0n, high: 6n, topicId: 'first' });
  view.take([record(5n, null)]);
  for (const partition of [0, 1])
    expect(() => view.nextOffset(partition, { low: 0n, high: 20n, topicId: 'second' })).toThrow(
      expect.objectContaining({ code: 'TOPIC_CHANGED' }),
    );
});
