import { describe, expect, it } from 'vitest';
import { ByteCursor } from '../wire/byte-cursor.ts';
import { ByteSink } from '../wire/byte-sink.ts';
import { produceApi, writeProduceRequest } from './produce-api.ts';
import { writeRecordBatch } from './record-batch.ts';
import type { RecordToWrite } from './record-to-write.ts';

describe('writeProduceRequest', () => {
  const record = (key: string): RecordToWrite => ({
    key,
    value: Buffer.from(`value of ${key}`),
    headers: {},
    timestampMs: 1_700_000_000_000,
  });
  const identity = (firstSequence: number) => ({
    producerId: 4n,
    producerEpoch: 2,
    firstSequence,
  });
  const parts = [
    { topic: 'a', partition: 1, records: [record('one')], identity: identity(10) },
    { topic: 'bé', partition: 0, records: [record('two'), record('too')], identity: identity(20) },
    { topic: 'a', partition: 2, records: [record('three')], identity: identity(30) },
  ] as const;

  it('writes each topic once, with acks from all replicas and no transaction', async () => {
    const hex = await Promise.all(
      parts.map(async (part) => {
        const alone = new ByteSink(16);
        await writeRecordBatch(alone, part.records, part.identity);
        const bytes = alone.written();
        return `${bytes.length.toString(16).padStart(8, '0')}${bytes.toString('hex')}`;
      }),
    );
    const sink = new ByteSink(16);
    await writeProduceRequest(sink, parts, 3000);
    expect(sink.written().toString('hex')).toBe(
      [
        'ffff', // no transactional id
        'ffff', // acks = all
        '00000bb8',
        '00000002',
        '000161',
        '00000002',
        `00000001${hex[0]}`,
        `00000002${hex[2]}`,
        '000362c3a9',
        '00000001',
        `00000000${hex[1]}`,
      ].join(''),
    );
  });

  it('leaves nothing of an earlier request in memory that is used again', async () => {
    const fresh = new ByteSink(16);
    await writeProduceRequest(fresh, parts.slice(0, 1), 3000);
    const used = new ByteSink(16);
    await writeProduceRequest(used, parts, 9000);
    used.end = 0;
    await writeProduceRequest(used, parts.slice(0, 1), 3000);
    expect(used.written()).toEqual(fresh.written());
  });
});

describe('an answer to Produce', () => {
  it('reads a row for each partition, with the broker’s own words where it has some', () => {
    const row = (partition: number, code: number, offset: string, rest: string) =>
      `${partition.toString(16).padStart(8, '0')}${code.toString(16).padStart(4, '0')}${offset}${'ff'.repeat(8)}${'00'.repeat(8)}${rest}`;
    const text = (words: string) =>
      `${Buffer.byteLength(words).toString(16).padStart(4, '0')}${Buffer.from(words).toString('hex')}`;
    const payload = Buffer.from(
      [
        '00000001',
        '000161',
        '00000003',
        row(0, 0, '000000000000002a', '00000000ffff'),
        row(1, 87, 'ff'.repeat(8), `0000000100000000${text('no key')}${text('bad record')}`),
        row(2, 87, 'ff'.repeat(8), `0000000200000002${text('no key')}00000003ffffffff`),
        '00000064',
      ].join(''),
      'hex',
    );
    expect(produceApi.decode(new ByteCursor(payload), 8)).toEqual({
      throttleMs: 100,
      answers: [
        { topic: 'a', partition: 0, code: 0, baseOffset: 42n, detail: null, named: [] },
        { topic: 'a', partition: 1, code: 87, baseOffset: -1n, detail: 'bad record', named: [0] },
        { topic: 'a', partition: 2, code: 87, baseOffset: -1n, detail: 'no key', named: [2, 3] },
      ],
    });
  });

  it('of a broker that stops at version 7 has no words', () => {
    const payload = Buffer.from(
      `000000010001610000000100000000000a${'ff'.repeat(8)}${'ff'.repeat(8)}${'00'.repeat(8)}00000064`,
      'hex',
    );
    expect(produceApi.decode(new ByteCursor(payload), 7)).toEqual({
      throttleMs: 100,
      answers: [{ topic: 'a', partition: 0, code: 10, baseOffset: -1n, detail: null, named: [] }],
    });
  });

  it('refuses an answer that is cut short', () => {
    const cut = new ByteCursor(Buffer.from('00000001', 'hex'));
    expect(() => produceApi.decode(cut, 8)).toThrow(RangeError);
  });
});
