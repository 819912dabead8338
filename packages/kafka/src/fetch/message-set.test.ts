import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeRecords } from './decode-records.ts';
import { encodedBatch } from './test-support/encoded-batch.ts';
import { encodedMessage, type TestMessage } from './test-support/encoded-message.ts';
import { sealed } from './test-support/sealed.ts';

const decode = (recordSet: Buffer, from = 0n) =>
  decodeRecords({ topic: 't', partition: 0, recordSet, aborted: [] }, from);
const seen = (recordSet: Buffer, from = 0n) =>
  decode(recordSet, from).records.map(({ offset, timestampMs, key, value }) => [
    Number(offset),
    timestampMs,
    key?.toString() ?? null,
    value?.toString() ?? null,
  ]);
const set = (magic: 0 | 1, offsets: readonly number[]) =>
  Buffer.concat(
    offsets.map((offset) =>
      encodedMessage({ magic, offset, timestamp: offset * 10, key: 'k', value: `v${offset}` }),
    ),
  );
const wrapped = (message: Pick<TestMessage, 'magic' | 'offset'> & Partial<TestMessage>) =>
  encodedMessage({
    codec: 1,
    timestamp: 7777,
    ...message,
    value: gzipSync(message.value ?? set(message.magic, [0, 1, 2])),
  });

describe('message sets of before Kafka 0.11', () => {
  it('are read in version 0, which has no times', () => {
    const bytes = Buffer.concat([
      encodedMessage({ magic: 0, offset: 3, key: 'k', value: 'ä' }),
      encodedMessage({ magic: 0, offset: 5, value: null }),
    ]);
    expect(seen(bytes)).toEqual([
      [3, -1, 'k', 'ä'],
      [5, -1, null, null],
    ]);
    expect(decode(bytes).next).toBe(6n);
    expect(decode(bytes).records[0]?.headers).toEqual({});
    expect(decode(bytes).records[0]?.headerList()).toEqual([]);
  });

  it('are read in version 1, each with its time', () => {
    const bytes = encodedMessage({ magic: 1, offset: 3, timestamp: 12, key: '', value: '' });
    expect(seen(bytes)).toEqual([[3, 12, '', '']]);
  });

  it('may stand before batches of version 2', async () => {
    const bytes = Buffer.concat([
      set(0, [0]),
      set(1, [1]),
      await encodedBatch({ baseOffset: 2, records: [{ offsetDelta: 0, key: 'k', value: 'v2' }] }),
    ]);
    expect(seen(bytes).map(([offset, , , value]) => [offset, value])).toEqual([
      [0, 'v0'],
      [1, 'v1'],
      [2, 'v2'],
    ]);
  });

  it('keep the offsets of what is wrapped in version 0', () => {
    const bytes = wrapped({ magic: 0, offset: 12, value: set(0, [10, 11, 12]) });
    expect(seen(bytes, 11n)).toEqual([
      [11, -1, 'k', 'v11'],
      [12, -1, 'k', 'v12'],
    ]);
  });

  it('count the offsets of what is wrapped in version 1 from its first, also where compaction has been', () => {
    expect(seen(wrapped({ magic: 1, offset: 102 })).map(([offset]) => offset)).toEqual([
      100, 101, 102,
    ]);
    const compacted = wrapped({ magic: 1, offset: 104, value: set(1, [1, 4]) });
    expect(seen(compacted)).toEqual([
      [101, 10, 'k', 'v1'],
      [104, 40, 'k', 'v4'],
    ]);
    expect(decode(compacted).next).toBe(105n);
  });

  it('take the inner offsets as they are where the outer one is 0, as old librdkafka left it', () => {
    const bytes = wrapped({ magic: 1, offset: 0 });
    expect(seen(bytes).map(([offset]) => offset)).toEqual([0, 1, 2]);
  });

  it("take the wrapper's time where the topic says when it was appended", () => {
    const bytes = wrapped({ magic: 1, offset: 2, isLogAppendTime: true });
    expect(seen(bytes).map(([, timestampMs]) => timestampMs)).toEqual([7777, 7777, 7777]);
  });

  it('are refused by place and reason where they break their own rules', () => {
    const inner = set(1, [0, 1]);
    const broken = {
      'holds nothing': wrapped({ magic: 1, offset: 5, value: Buffer.alloc(0) }),
      'has no value': encodedMessage({ magic: 1, offset: 5, codec: 1, value: null }),
      'ends before what it holds (9)': wrapped({ magic: 1, offset: 5, value: set(1, [9]) }),
      'version 0 is wrapped in one of 1': wrapped({ magic: 1, offset: 5, value: set(0, [0]) }),
      'wraps a compressed one': wrapped({
        magic: 1,
        offset: 5,
        value: wrapped({ magic: 1, offset: 1 }),
      }),
      'does not fit its length': wrapped({
        magic: 1,
        offset: 5,
        value: inner.subarray(0, inner.length - 1),
      }),
    };
    for (const [reason, bytes] of Object.entries(broken)) {
      expect(() => decode(bytes, 5n)).toThrow(/^t\/0 cannot be read at offset 5: /);
      expect(() => decode(bytes, 5n)).toThrow(reason);
    }
  });

  it('are never read past their end, whichever length a producer wrote wrong', () => {
    const whole = encodedMessage({ magic: 1, offset: 0, key: 'key', value: 'value' });
    for (let at = 16; at < whole.length; at += 1)
      for (const byte of [0x00, 0x7f, 0xff]) {
        const damaged = Buffer.from(whole);
        damaged[at] = byte;
        try {
          expect(decode(sealed(damaged)).records.length).toBe(1);
        } catch (error) {
          expect(error).toMatchObject({ code: 'KAFKA_RECORDS_UNREADABLE' });
        }
      }
  });
});
