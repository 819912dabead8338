import { describe, expect, it } from 'vitest';
import { decodeRecords } from './decode-records.ts';
import { encodedBatch, endOfTransaction, type TestBatch } from './test-support/encoded-batch.ts';
import { sealed } from './test-support/sealed.ts';

const decode = (
  recordSet: Buffer,
  from = 0n,
  aborted: { producerId: bigint; firstOffset: bigint }[] = [],
) => decodeRecords({ topic: 't', partition: 0, recordSet, aborted }, from);
const offsets = ({ records }: { records: readonly { offset: bigint }[] }) =>
  records.map(({ offset }) => Number(offset));
const one = (baseOffset: number, more: Partial<TestBatch> = {}) =>
  encodedBatch({ baseOffset, records: [{ offsetDelta: 0 }], ...more });
const ofTransaction = (baseOffset: number, producerId: number) =>
  one(baseOffset, { producerId, transactional: true });

describe('a set of record batches', () => {
  it.each([0, 1] as const)(
    'gives records as kafkajs encodes them, with codec %i',
    async (compression) => {
      const bytes = await encodedBatch({
        baseOffset: 2 ** 40,
        compression,
        records: [
          { offsetDelta: 0, key: 'k', value: 'ä€😀', headers: { a: '1', b: '' } },
          { offsetDelta: 70_000, timestampDelta: 5000, key: null, value: null },
          { offsetDelta: 70_001, timestampDelta: -900, key: '', value: 'x'.repeat(20_000) },
        ],
      });
      const { records, next } = decode(bytes);
      expect(next).toBe(2n ** 40n + 70_002n);
      expect(
        records.map(({ offset, timestampMs, key, value, headers }) => ({
          offset: offset - 2n ** 40n,
          timestampMs,
          key,
          value,
          headers,
        })),
      ).toEqual([
        {
          offset: 0n,
          timestampMs: 1000,
          key: Buffer.from('k'),
          value: Buffer.from('ä€😀'),
          headers: { a: '1', b: '' },
        },
        { offset: 70_000n, timestampMs: 6000, key: null, value: null, headers: {} },
        {
          offset: 70_001n,
          timestampMs: 100,
          key: Buffer.alloc(0),
          value: Buffer.from('x'.repeat(20_000)),
          headers: {},
        },
      ]);
      expect(records[0]).toMatchObject({ topic: 't', partition: 0 });
    },
  );

  it('takes the time of the append where the batch says so', async () => {
    const bytes = await encodedBatch({
      baseOffset: 0,
      records: [{ offsetDelta: 0, timestampDelta: 7 }],
    });
    bytes.writeInt16BE(bytes.readInt16BE(21) | 0x08, 21);
    expect(decode(sealed(bytes)).records[0]?.timestampMs).toBe(9000);
  });

  it('gives headers by name as text, and in order byte for byte', async () => {
    const bytes = await encodedBatch({
      baseOffset: 0,
      records: [
        {
          offsetDelta: 0,
          headers: {
            twice: ['1', '2'],
            bytes: Buffer.from('ff00', 'hex'),
            text: 'ä€😀',
            nämé: 'plain',
            ['__proto__']: 'no prototype',
            long: 'l'.repeat(9000),
          },
        },
        { offsetDelta: 1, headers: { twice: 'once', text: 'ascii' } },
      ],
    });
    const [first, second] = decode(bytes).records;
    expect(Object.entries(first?.headers ?? {})).toEqual([
      ['twice', '2'],
      ['bytes', '\ufffd\0'],
      ['text', 'ä€😀'],
      ['nämé', 'plain'],
      ['__proto__', 'no prototype'],
      ['long', 'l'.repeat(9000)],
    ]);
    expect(first?.headers).toBe(first?.headers);
    expect(second?.headers).toEqual({ twice: 'once', text: 'ascii' });
    expect(
      first?.headerList().map(({ name, value }) => [name, value?.toString('hex').slice(0, 8)]),
    ).toEqual([
      ['twice', '31'],
      ['twice', '32'],
      ['bytes', 'ff00'],
      ['text', 'c3a4e282'],
      ['nämé', '706c6169'],
      ['__proto__', '6e6f2070'],
      ['long', '6c6c6c6c'],
    ]);
  });

  it('goes on behind a batch that compaction has emptied, and behind the gap at its end', async () => {
    const bytes = Buffer.concat([
      await encodedBatch({ baseOffset: 0, records: [{ offsetDelta: 1 }], lastOffsetDelta: 9 }),
      await encodedBatch({ baseOffset: 10, records: [], lastOffsetDelta: 4 }),
    ]);
    const set = decode(bytes);
    expect(offsets(set)).toEqual([1]);
    expect(set.next).toBe(15n);
  });

  it('leaves out what lies before the position: a broker answers with whole batches', async () => {
    const bytes = await encodedBatch({
      baseOffset: 1,
      records: [{ offsetDelta: 0 }, { offsetDelta: 1 }],
    });
    const set = decode(bytes, 2n);
    expect(offsets(set)).toEqual([2]);
    expect(set.next).toBe(3n);
  });

  it('stops before a batch that the broker cut off, wherever that was', async () => {
    const whole = await one(0, { records: [{ offsetDelta: 0, value: 'a' }] });
    const cut = await one(1, { records: [{ offsetDelta: 0, value: 'b' }] });
    for (let length = 0; length < cut.length; length++) {
      const set = decode(Buffer.concat([whole, cut.subarray(0, length)]));
      expect(set.next).toBe(1n);
      expect(offsets(set)).toEqual([0]);
    }
    expect(decode(Buffer.alloc(0), 7n).next).toBe(7n);
  });
});

describe('transactions', () => {
  it('leaves out what was aborted, of that producer and up to its marker, and every marker', async () => {
    const bytes = Buffer.concat([
      await ofTransaction(0, 1),
      await ofTransaction(1, 2),
      await endOfTransaction(2, 1, 'abort'),
      await ofTransaction(3, 1),
      await endOfTransaction(4, 2, 'commit'),
      await endOfTransaction(5, 1, 'commit'),
      await one(6),
    ]);
    const set = decode(bytes, 0n, [{ producerId: 1n, firstOffset: 0n }]);
    expect(offsets(set)).toEqual([1, 3, 6]);
    expect(set.next).toBe(7n);
  });

  it('gives what was committed behind an aborted transaction of which cleaning has left the marker only', async () => {
    const bytes = Buffer.concat([
      await endOfTransaction(5, 1, 'abort'),
      await ofTransaction(6, 1),
      await endOfTransaction(7, 1, 'commit'),
    ]);
    const set = decode(bytes, 0n, [{ producerId: 1n, firstOffset: 0n }]);
    expect(offsets(set)).toEqual([6]);
  });

  it('does the same for several of one producer, and leaves out the one that has its records', async () => {
    const aborted = [20n, 0n, 10n].map((firstOffset) => ({ producerId: 1n, firstOffset }));
    const bytes = Buffer.concat([
      await endOfTransaction(5, 1, 'abort'),
      await ofTransaction(6, 1),
      await endOfTransaction(7, 1, 'commit'),
      await ofTransaction(10, 1),
      await endOfTransaction(11, 1, 'abort'),
      await endOfTransaction(25, 1, 'abort'),
      await ofTransaction(26, 1),
      await endOfTransaction(27, 1, 'commit'),
    ]);
    expect(offsets(decode(bytes, 0n, aborted))).toEqual([6, 26]);
  });

  it("takes another producer's marker, and a commit's, for no end of an aborted transaction", async () => {
    const bytes = Buffer.concat([
      await ofTransaction(0, 1),
      await endOfTransaction(1, 2, 'abort'),
      await ofTransaction(2, 1),
      // Kafka writes none here; Java's reader would not let it end the transaction either.
      await endOfTransaction(3, 1, 'commit'),
      await ofTransaction(4, 1),
      await endOfTransaction(5, 1, 'abort'),
      await ofTransaction(6, 1),
    ]);
    const set = decode(bytes, 0n, [{ producerId: 1n, firstOffset: 0n }]);
    expect(offsets(set)).toEqual([6]);
  });

  it('leaves alone what its producer wrote outside of transactions, and what begins behind the batch', async () => {
    const bytes = Buffer.concat([
      await one(0, { producerId: 1 }),
      await ofTransaction(1, 1),
      await endOfTransaction(2, 1, 'commit'),
      await ofTransaction(3, 1),
      await endOfTransaction(4, 1, 'abort'),
    ]);
    expect(offsets(decode(bytes, 0n, [{ producerId: 1n, firstOffset: 3n }]))).toEqual([0, 1]);
  });

  it('knows of an aborted transaction that began before the position', async () => {
    const bytes = Buffer.concat([
      await encodedBatch({
        baseOffset: 0,
        producerId: 1,
        transactional: true,
        records: [{ offsetDelta: 0 }, { offsetDelta: 1 }],
      }),
      await endOfTransaction(2, 1, 'abort'),
      await ofTransaction(3, 1),
    ]);
    expect(offsets(decode(bytes, 1n, [{ producerId: 1n, firstOffset: 0n }]))).toEqual([3]);
  });
});

describe('what cannot be read', () => {
  it('is named by place and reason', async () => {
    const future = await one(4);
    future.writeInt8(3, 16);
    expect(() => decode(future, 4n)).toThrow(
      't/0 cannot be read at offset 4: its records are of format 3',
    );
    const codec = await one(0);
    codec.writeInt16BE(7, 21);
    expect(() => decode(sealed(codec))).toThrow('codec 7');
    const torn = await one(0, { compression: 1, records: [{ offsetDelta: 0, value: 'v' }] });
    torn.fill(0xff, 70, 75);
    expect(() => decode(sealed(torn))).toThrow('t/0 cannot be read at offset 0');
    const short = await one(0);
    short.writeInt32BE(20, 8);
    expect(() => decode(short)).toThrow('too short');
    expect(() => decode(short)).toThrow(
      expect.objectContaining({ code: 'KAFKA_RECORDS_UNREADABLE' }),
    );
  });

  it('is met after what comes before it, whatever a producer wrote wrong, and costs no more memory than it has', async () => {
    const good = await one(0, { records: [{ offsetDelta: 0, value: 'a' }] });
    const whole = await encodedBatch({
      baseOffset: 1,
      records: [
        { offsetDelta: 0, key: 'key', value: 'value', headers: { a: 'b' } },
        { offsetDelta: 1, key: 'key', value: 'value', headers: { a: 'b' } },
      ],
    });
    // Any byte of the counts and lengths, made as wrong as it can be.
    for (let at = 57; at < whole.length; at += 1)
      for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
        const damaged = Buffer.from(whole);
        damaged[at] = byte;
        sealed(damaged);
        const set = decode(Buffer.concat([good, damaged]));
        expect([1n, 3n]).toContain(set.next);
        expect(offsets(set).length).toBe(set.next === 1n ? 1 : offsets(set).length);
        if (set.next === 1n) expect(() => decode(damaged, 1n)).toThrow('t/0 cannot be read');
        else
          for (const record of set.records)
            expect(record.headerList().length).toBeLessThan(whole.length);
      }
  });
});
