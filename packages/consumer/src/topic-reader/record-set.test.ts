import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { decodeRecordSet } from './record-set.ts';

/** kafkajs' own encoder: an oracle that knows nothing of our decoder. */
const load: (path: string) => unknown = createRequire(import.meta.url);
interface Encoded {
  readonly buffer: Buffer;
}
const recordOf = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => object;
const { RecordBatch } = load('kafkajs/src/protocol/recordBatch/v0') as {
  readonly RecordBatch: (batch: object) => Promise<Encoded>;
};
const Long = load('kafkajs/src/utils/long') as { readonly fromValue: (value: number) => object };

interface TestRecord {
  readonly key?: string | null;
  readonly value?: string | null;
  readonly headers?: Record<string, string>;
  readonly offsetDelta: number;
  readonly timestampDelta?: number;
}

async function batch({
  baseOffset,
  records,
  lastOffsetDelta = records.at(-1)?.offsetDelta ?? 0,
  compression = 0,
  transactional = false,
  isControl = false,
  producerId = -1,
}: {
  baseOffset: number;
  records: readonly TestRecord[];
  lastOffsetDelta?: number;
  compression?: number;
  transactional?: boolean;
  isControl?: boolean;
  producerId?: number;
}): Promise<Buffer> {
  const { buffer } = await RecordBatch({
    compression,
    transactional,
    firstOffset: Long.fromValue(baseOffset),
    firstTimestamp: 1000,
    maxTimestamp: 9000,
    lastOffsetDelta,
    producerId: Long.fromValue(producerId),
    records: records.map(({ offsetDelta, timestampDelta = 0, key, value, headers = {} }) =>
      recordOf({
        offsetDelta,
        timestampDelta,
        key: key ?? null,
        value: value ?? null,
        headers,
      }),
    ),
  });
  const bytes = Buffer.from(buffer);
  // kafkajs writes no control batches.
  if (isControl) bytes.writeInt16BE(bytes.readInt16BE(21) | 0x20, 21);
  return bytes;
}

const decode = (
  recordSet: Buffer,
  from = 0n,
  aborted: { producerId: bigint; firstOffset: bigint }[] = [],
) => decodeRecordSet({ topic: 't', partition: 0, recordSet, aborted }, from);
const offsets = ({ records }: { records: readonly { offset: bigint }[] }) =>
  records.map(({ offset }) => Number(offset));

describe('a set of record batches', () => {
  it.each([0, 1])('gives records as kafkajs encodes them, with codec %i', async (compression) => {
    const bytes = await batch({
      baseOffset: 2 ** 40,
      compression,
      records: [
        { offsetDelta: 0, key: 'k', value: 'ä€😀', headers: { a: '1', b: '' } },
        { offsetDelta: 70_000, timestampDelta: 5000, key: null, value: null },
        { offsetDelta: 70_001, timestampDelta: -900, key: '', value: 'x'.repeat(20_000) },
      ],
    });
    const { records, nextOffset } = await decode(bytes);
    expect(nextOffset).toBe(2n ** 40n + 70_002n);
    expect(records).toEqual([
      {
        topic: 't',
        partition: 0,
        offset: 2n ** 40n,
        timestampMs: 1000,
        key: Buffer.from('k'),
        value: Buffer.from('ä€😀'),
        headers: { a: '1', b: '' },
      },
      expect.objectContaining({
        offset: 2n ** 40n + 70_000n,
        timestampMs: 6000,
        key: null,
        value: null,
        headers: {},
      }),
      expect.objectContaining({
        timestampMs: 100,
        key: Buffer.alloc(0),
        value: Buffer.from('x'.repeat(20_000)),
      }),
    ]);
  });

  it('goes on behind a batch that compaction has emptied, and behind the gap at its end', async () => {
    const bytes = Buffer.concat([
      await batch({ baseOffset: 0, records: [{ offsetDelta: 1 }], lastOffsetDelta: 9 }),
      await batch({ baseOffset: 10, records: [], lastOffsetDelta: 4 }),
    ]);
    const set = await decode(bytes);
    expect(offsets(set)).toEqual([1]);
    expect(set.nextOffset).toBe(15n);
  });

  it('leaves out what lies before the position: a broker answers with whole batches', async () => {
    const bytes = Buffer.concat([
      await batch({ baseOffset: 0, records: [{ offsetDelta: 0 }] }),
      await batch({ baseOffset: 1, records: [{ offsetDelta: 0 }, { offsetDelta: 1 }] }),
    ]);
    const set = await decode(bytes, 2n);
    expect(offsets(set)).toEqual([2]);
    expect(set.nextOffset).toBe(3n);
  });

  it('stops before a batch that the broker cut off, wherever that was', async () => {
    const whole = await batch({ baseOffset: 0, records: [{ offsetDelta: 0, value: 'a' }] });
    const cut = await batch({ baseOffset: 1, records: [{ offsetDelta: 0, value: 'b' }] });
    for (let length = 0; length < cut.length; length++) {
      const set = await decode(Buffer.concat([whole, cut.subarray(0, length)]));
      expect(set.nextOffset).toBe(1n);
      expect(offsets(set)).toEqual([0]);
    }
    expect((await decode(Buffer.alloc(0), 7n)).nextOffset).toBe(7n);
  });

  it('leaves out what was aborted, of that producer and up to its marker, and every marker', async () => {
    const of = (baseOffset: number, producerId: number, isControl = false) =>
      batch({
        baseOffset,
        producerId,
        isControl,
        transactional: true,
        records: [{ offsetDelta: 0, key: isControl ? '\0\0\0\0' : 'k' }],
      });
    const bytes = Buffer.concat([
      await of(0, 1),
      await of(1, 2),
      await of(2, 1, true),
      await of(3, 1),
      await of(4, 2, true),
      await of(5, 1, true),
      await batch({ baseOffset: 6, records: [{ offsetDelta: 0 }] }),
    ]);
    const set = await decode(bytes, 0n, [{ producerId: 1n, firstOffset: 0n }]);
    expect(offsets(set)).toEqual([1, 3, 6]);
    expect(set.nextOffset).toBe(7n);
  });

  it('says what it cannot read', async () => {
    const old = await batch({ baseOffset: 0, records: [{ offsetDelta: 0 }] });
    old.writeInt8(1, 16);
    await expect(decode(old)).rejects.toThrow('format 1');
    const snappy = await batch({ baseOffset: 0, records: [{ offsetDelta: 0 }] });
    snappy.writeInt16BE(7, 21);
    await expect(decode(snappy)).rejects.toThrow('codec 7');
  });
});
