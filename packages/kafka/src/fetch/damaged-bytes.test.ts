import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { KafkaError } from '../kafka-error.ts';
import { decodeRecords } from './decode-records.ts';
import type { FetchedRecord } from './fetched-record.ts';
import { encodedBatch } from './test-support/encoded-batch.ts';
import { encodedMessage } from './test-support/encoded-message.ts';
import { at, p, reading, stopAll } from './test-support/fetcher-in-memory.ts';

afterEach(stopAll);

const decode = (recordSet: Buffer, from = 0n) =>
  decodeRecords({ topic: 't', partition: 0, recordSet, aborted: [] }, from);
const shown = ({ offset, timestampMs, key, value, headers }: FetchedRecord) => [
  Number(offset),
  timestampMs,
  key?.toString('hex'),
  value?.toString('hex'),
  JSON.stringify(headers),
];

/** Where a batch and a message begin to be covered by their checksum, the checksum itself and the format's number left out. */
const length = [8, 9, 10, 11];
const formatAt = 16;

function flipped(bytes: Buffer, bit: number): Buffer {
  const damaged = Buffer.from(bytes);
  damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
  return damaged;
}

/** Nothing but the true records, and if not all of them, a word. Gives whether they were refused. */
function expectNothingElse(damaged: Buffer, whole: Buffer): boolean {
  const truth = decode(whole);
  try {
    const { records, next } = decode(damaged);
    expect(records.map(shown)).toEqual(truth.records.slice(0, records.length).map(shown));
    expect(next).toBe(records.length === 0 ? 0n : (records.at(-1)?.offset ?? -1n) + 1n);
    return false;
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    expect(error).toMatchObject({ code: 'KAFKA_RECORDS_UNREADABLE' });
    expect(error.message).toMatch(/^t\/0 cannot be read at offset 0: /);
    return true;
  }
}

const someRecords = fc.array(
  fc.record({
    key: fc.option(fc.string({ maxLength: 20 })),
    value: fc.option(fc.string({ maxLength: 200 })),
    headers: fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 20 }), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  }),
  { minLength: 1, maxLength: 8 },
);

describe('one flipped bit', () => {
  it.each([0, 1] as const)(
    'in a batch, with codec %i, gives no other records: it is refused by place, or changes nothing',
    async (compression) => {
      await fc.assert(
        fc.asyncProperty(someRecords, fc.nat(), async (records, chance) => {
          const whole = await encodedBatch({
            baseOffset: 0,
            compression,
            records: records.map((record, offsetDelta) => ({ ...record, offsetDelta })),
          });
          const bit = 8 * 8 + (chance % (8 * (whole.length - 8)));
          const isRefused = expectNothingElse(flipped(whole, bit), whole);
          const byte = bit >>> 3;
          // The leader's epoch says nothing about records; a length beyond the answer looks like one that was cut off.
          if (byte > formatAt) expect(isRefused).toBe(true);
        }),
        { numRuns: 500 },
      );
    },
  );

  it('in a message of before Kafka 0.11, or in what it wraps, gives no other records either', () => {
    const plain = encodedMessage({ magic: 1, offset: 0, timestamp: 12, key: 'k', value: 'value' });
    const wrapper = (value: Buffer) => encodedMessage({ magic: 1, offset: 0, codec: 1, value });
    for (const whole of [plain, wrapper(gzipSync(plain))])
      for (let bit = 8 * 8; bit < 8 * whole.length; bit += 1) {
        const isRefused = expectNothingElse(flipped(whole, bit), whole);
        expect(isRefused || length.includes(bit >>> 3)).toBe(true);
      }
    for (let bit = 8 * 12; bit < 8 * plain.length; bit += 1)
      expect(() => decode(wrapper(gzipSync(flipped(plain, bit))))).toThrow('checksum');
  });

  it('in a batch ends the reading before it, and names it at the next call', async () => {
    const batches = await Promise.all(
      [0, 1, 2].map((baseOffset) =>
        encodedBatch({ baseOffset, records: [{ offsetDelta: 0, value: `v${baseOffset}` }] }),
      ),
    );
    const [first, second, third] = batches as [Buffer, Buffer, Buffer];
    const damaged = flipped(second, 8 * 64);
    const { records, next } = decode(Buffer.concat([first, damaged, third]));
    expect(records.map(({ value }) => value?.toString())).toEqual(['v0']);
    expect(next).toBe(1n);
    expect(() => decode(Buffer.concat([damaged, third]), 1n)).toThrow(
      't/0 cannot be read at offset 1: a batch there does not match its checksum',
    );
  });
});

describe('an offset of a batch, which no checksum covers,', () => {
  const batchAt = (baseOffset: number) =>
    encodedBatch({ baseOffset, records: [{ offsetDelta: 0, value: 'v' }] });

  it('that lies before what was asked for is refused and not passed over', async () => {
    const bytes = Buffer.concat([await batchAt(0), await batchAt(9)]);
    expect(() => decode(bytes, 8n)).toThrow(
      't/0 cannot be read at offset 8: a batch that ends at 0 came in its place',
    );
  });

  it('that does not rise ends the reading before both batches: either may be the damaged one', async () => {
    const bytes = Buffer.concat([await batchAt(0), await batchAt(5), await batchAt(2)]);
    expect(decode(bytes).next).toBe(1n);
    expect(() => decode(bytes.subarray(bytes.length / 3), 1n)).toThrow(
      'a batch that ends at 5 and one behind it at 2 came in its place',
    );
  });
});

describe('a fetcher that is given damaged bytes', () => {
  it('tells the owner and stands still, until it is assigned again', async () => {
    const { log, fetcher, clock, got, failed } = reading();
    await log.partition(0).append('a');
    await log.partition(0).append('b');
    const [, second] = log.partition(0).batches;
    if (!second) throw new Error('there is no second batch');
    const byte = second.bytes.length - 2;
    second.bytes.writeUInt8(second.bytes.readUInt8(byte) ^ 1, byte);
    fetcher.assign([at(0, 0)]);
    await clock.advance(1000);
    expect(got).toEqual(['0:a']);
    expect(failed.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^t\/0 cannot be read at offset 1: a batch .* start again/),
    ]);
    expect(fetcher.position(p(0))).toBe(1n);
    second.bytes.writeUInt8(second.bytes.readUInt8(byte) ^ 1, byte);
    fetcher.assign([at(0, 1)]);
    await clock.advance(1000);
    expect(got).toEqual(['0:a', '0:b']);
  });

  it('tells at each try that a batch says to be longer than what came', async () => {
    const { log, fetcher, clock, got, waiting } = reading();
    await log.partition(0).append('a');
    const [batch] = log.partition(0).batches;
    batch?.bytes.writeInt32BE(0x7000, 8);
    fetcher.assign([at(0, 0)]);
    await clock.advance(3000);
    expect(got).toEqual([]);
    expect(fetcher.position(p(0))).toBe(0n);
    expect(waiting.length).toBeGreaterThan(1);
    expect(new Set(waiting)).toEqual(new Set(['nothing came from 0 on, and the end is 1']));
  });
});
