import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteSink } from '../wire/byte-sink.ts';
import {
  aloneInBatchBytes,
  batchOverhead,
  recordBound,
  sequenceAfter,
  writeRecordBatch,
  type BatchCompression,
} from './record-batch.ts';
import type { RecordToWrite } from './record-to-write.ts';

const load = createRequire(import.meta.url);
interface Decoded {
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly lastOffsetDelta: number;
  readonly maxTimestamp: string;
  readonly records: readonly {
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly timestamp: string;
    readonly offset: string;
    readonly headers: Readonly<Record<string, Buffer | Buffer[] | null>>;
  }[];
}
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: object,
) => Promise<Decoded>;
const theirs = load('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (options: object) => Promise<{ buffer: Buffer }>;
};
const theirRecord = load('kafkajs/src/protocol/recordBatch/record/v0') as (
  options: object,
) => object;

/** As the relay writes it. */
type TextRecord = RecordToWrite & {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
};

// kafkajs' decoder takes a header called like a member of Object.prototype for a repeated one.
const headerNames = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 80 })
  .filter((name) => !(name in {}));
const anyRecord: fc.Arbitrary<TextRecord> = fc.record({
  key: fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }),
  value: fc.option(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    { nil: null },
  ),
  headers: fc.dictionary(headerNames, fc.string({ unit: 'binary', maxLength: 200 }), {
    maxKeys: 12,
    noNullPrototype: true,
  }),
  timestampMs: fc.integer({ min: 1_500_000_000_000, max: 2_000_000_000_000 }),
});
const identity = { producerId: 123_456_789_012n, producerEpoch: 7, firstSequence: 41 };

/** The batch behind something else, in memory that is dirty and too small, as it is in a request. */
async function encoded(
  records: readonly RecordToWrite[],
  compression?: BatchCompression,
): Promise<Buffer> {
  const sink = new ByteSink(200);
  sink.bytes.fill(0xa5);
  sink.end = 7;
  await writeRecordBatch(sink, records, identity, { compression });
  expect(sink.bytes.subarray(0, 7).every((byte) => byte === 0xa5)).toBe(true);
  return sink.written().subarray(7);
}

describe('writeRecordBatch', () => {
  it('writes what kafkajs reads back, for any records', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), async (records) => {
        const bytes = await encoded(records);
        const decoded = await decodeBatch(new Decoder(bytes));
        expect(decoded).toMatchObject({
          producerId: '123456789012',
          producerEpoch: 7,
          firstSequence: 41,
          lastOffsetDelta: records.length - 1,
          maxTimestamp: String(Math.max(...records.map(({ timestampMs }) => timestampMs))),
        });
        expect(
          decoded.records.map(({ key, value, timestamp, headers }) => ({
            key: key?.toString(),
            value,
            timestamp,
            headers: Object.fromEntries(
              Object.entries(headers).map(([name, text]) => [name, text?.toString()]),
            ),
          })),
        ).toEqual(
          records.map(({ key, value, timestampMs, headers }) => ({
            key: Buffer.from(key).toString(),
            value,
            timestamp: String(timestampMs),
            headers: Object.fromEntries(
              Object.entries(headers).map(([name, text]) => [
                Buffer.from(name).toString(),
                Buffer.from(text).toString(),
              ]),
            ),
          })),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('writes the very bytes that kafkajs writes, checksum included', async () => {
    const records = Array.from({ length: 30 }, (_, index): TextRecord => ({
      key: `key-${index}`,
      value: index % 5 === 0 ? null : Buffer.from(`{"n":${index},"text":"${'é'.repeat(index)}"}`),
      headers: { ce_id: `id-${index}`, flow_id: 'ü'.repeat(index * 3) },
      timestampMs: 1_700_000_000_000 + index,
    }));
    const ours = await encoded(records);
    const { buffer } = await theirs.RecordBatch({
      records: records.map(({ key, value, headers, timestampMs }, offsetDelta) =>
        theirRecord({
          key,
          value,
          headers,
          offsetDelta,
          timestampDelta: timestampMs - 1_700_000_000_000,
        }),
      ),
      firstTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_000_029,
      lastOffsetDelta: 29,
      producerId: String(identity.producerId),
      producerEpoch: 7,
      firstSequence: 41,
    });
    // Behind the leader's epoch, which only brokers use: kafkajs says 0, Java's client −1.
    expect(ours.subarray(16).equals(buffer.subarray(16))).toBe(true);
    expect(ours.length).toBe(buffer.length);
  });

  it('writes records of every length that takes another number of bytes to tell', async () => {
    const record = (bytes: number): RecordToWrite => ({
      key: 'k',
      value: Buffer.alloc(bytes, 'v'),
      headers: {},
      timestampMs: 1,
    });
    const sizes = [40, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 8170, 8180, 8181, 8182, 8183];
    const all = [
      ...sizes,
      ...[8184, 8185, 8186, 8187, 8190, 8200, 1_048_560, 1_048_565, 1_048_570, 1_048_580],
    ];
    const { records } = await decodeBatch(new Decoder(await encoded(all.map(record))));
    expect(records.map(({ value }) => value?.length)).toEqual(all);
    expect(records.every(({ value }) => value?.every((byte) => byte === 0x76))).toBe(true);
  });

  it('writes a compressed batch that kafkajs reads back', async () => {
    const record: RecordToWrite = {
      key: 'k',
      value: Buffer.from('x'.repeat(1000)),
      headers: { a: 'b' },
      timestampMs: 1,
    };
    const bytes = await encoded([record, record], {
      codec: 1,
      compress: (raw) => Promise.resolve(gzipSync(raw)),
    });
    expect(bytes.length).toBeLessThan(300);
    const { records } = await decodeBatch(new Decoder(bytes));
    expect(records.map(({ value }) => value?.toString())).toEqual([
      'x'.repeat(1000),
      'x'.repeat(1000),
    ]);
  });

  it('gives the same bytes for the same batch, so that a repeated send is recognised', async () => {
    const [record] = fc.sample(anyRecord, 1);
    if (!record) throw new Error('no sample');
    expect(await encoded([record])).toEqual(await encoded([record]));
  });
});

describe('a record of bytes', () => {
  const record: RecordToWrite = {
    key: Buffer.from('fffe00', 'hex'),
    value: Buffer.from('ff', 'hex'),
    headers: [
      { name: 'again', value: Buffer.from('00ff', 'hex') },
      { name: 'again', value: Buffer.from('plain') },
      { name: 'none', value: null },
    ],
    timestampMs: 5,
  };

  it('is written as it is, repeated headers and those without a value too', async () => {
    const { records } = await decodeBatch(new Decoder(await encoded([record])));
    expect(records[0]).toMatchObject({
      key: record.key,
      value: record.value,
      headers: { again: [Buffer.from('00ff', 'hex'), Buffer.from('plain')], none: null },
    });
  });

  it('can be without a key', async () => {
    const { records } = await decodeBatch(new Decoder(await encoded([{ ...record, key: null }])));
    expect(records[0]?.key).toBeNull();
  });

  it('takes what is told', async () => {
    const { length } = await encoded([record]);
    expect(aloneInBatchBytes(record)).toBe(length);
    expect(recordBound(record) + batchOverhead).toBeGreaterThanOrEqual(length);
  });
});

describe('sizes', () => {
  it('tell what a record takes alone, and a bound that is never less', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecord, async (record) => {
        const { length } = await encoded([record]);
        expect(aloneInBatchBytes(record)).toBe(length);
        expect(recordBound(record) + batchOverhead).toBeGreaterThanOrEqual(length);
      }),
    );
  });
});

describe('sequenceAfter (trap 10c)', () => {
  it('continues at 0 after 2^31 − 1, as the broker does', () => {
    expect(sequenceAfter(2 ** 31 - 1, 1)).toBe(0);
    expect(sequenceAfter(2 ** 31 - 3, 5)).toBe(2);
    expect(sequenceAfter(0, 500)).toBe(500);
  });
});
