import { describe, expect, it } from 'vitest';
import type { KafkaRecord } from '@outbound/kafka';
import type { ReadTopic } from './read-topic.ts';
import { recogniseById, recogniseByRecords } from './recognise-topic.ts';
import { topicMark } from './topic-mark.ts';

const record = (partition: number, offset: bigint, timestampMs = 1000, key = 'k'): KafkaRecord => ({
  ...{ topic: 't', partition, offset, timestampMs, headers: {}, headerList: () => [] },
  key: Buffer.from(key),
  value: null,
});
const position = (partition: number, nextOffset: bigint, topicId?: string) => ({
  partition,
  nextOffset,
  mark: topicMark(record(partition, nextOffset - 1n), topicId),
});
const range = (partition: number, high: bigint) => ({ topic: 't', partition, low: 0n, high });

describe('a topic by its id', () => {
  const byId = (ids: (string | undefined)[], topicId: string | undefined, high = 9n) =>
    recogniseById(
      ids.map((id, partition) => position(partition, 5n, id)),
      { topicId, ranges: [range(0, high), range(1, high)] },
    );

  it('is the same if every position is of it, and another one if one is not', () => {
    expect(byId(['a', 'a'], 'a')).toBe('same');
    expect(byId(['a', 'b'], 'a')).toBe('made-again');
    expect(byId(['b', undefined], 'a')).toBe('made-again');
  });

  it('is to be proven where the broker or the store does not say', () => {
    expect(byId(['a', undefined], 'a')).toBe('unproven');
    expect(byId(['a', 'a'], undefined)).toBe('unproven');
    expect(
      recogniseById([{ ...position(0, 5n), mark: '' }], { topicId: 'a', ranges: [range(0, 9n)] }),
    ).toBe('unproven');
  });

  it('that ends before what was read of it has lost its end, or is another one', () => {
    expect(byId(['a'], 'a', 4n)).toBe('lost-end');
    expect(byId([undefined], undefined, 4n)).toBe('made-again');
    expect(byId(['a', 'a', 'a'], undefined)).toBe('made-again');
  });
});

describe('a topic by the records that were read of it', () => {
  /** A topic with these records, read as `readTopics` does. */
  const topicOf =
    (...records: KafkaRecord[]): ReadTopic =>
    async ({ from, onBatch, signal }) => {
      for (const partition of [0, 1]) {
        const start = from?.(range(partition, 100n));
        const batch = records.filter(
          (each) => start !== undefined && each.partition === partition && each.offset >= start,
        );
        if (batch.length > 0 && signal?.aborted !== true) await onBatch(batch);
      }
      return {} as Awaited<ReturnType<ReadTopic>>;
    };
  const positions = [position(0, 5n), position(1, 8n)];
  const recognised = (...records: KafkaRecord[]) =>
    recogniseByRecords(topicOf(...records), positions, undefined);

  it('is the same if one of them is what it was, and compaction took the others', async () => {
    expect(await recognised(record(0, 6n), record(1, 7n), record(1, 8n, 0))).toBe('same');
  });

  it('is another one if another record is in a place of theirs', async () => {
    expect(await recognised(record(0, 4n, 1001), record(1, 7n))).toBe('made-again');
    expect(await recognised(record(0, 4n, 1000, 'other'))).toBe('made-again');
  });

  it('is unproven if none is there any more, or none is known', async () => {
    expect(await recognised(record(0, 6n), record(1, 9n))).toBe('unproven');
    expect(await recogniseByRecords(topicOf(), [{ ...position(0, 5n), mark: '' }], undefined)).toBe(
      'unproven',
    );
  });
});
