import fc from 'fast-check';
import * as lz4 from 'lz4js';
import * as snappy from 'snappyjs';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeRecords } from '../decode-records.ts';
import { encodedBatch } from '../test-support/encoded-batch.ts';
import { sealed } from '../test-support/sealed.ts';
import { largestBatchBytes } from './codec-limits.ts';
import { decompress } from './decompress.ts';
import { zstdReady } from './zstd.ts';

beforeAll(zstdReady);

const [gzipCodec, snappyCodec, lz4Codec, zstdCodec] = [1, 2, 3, 4];
const text = 'compressed by the reference tools, compressed by the reference tools, ä€😀';
const hex = (...parts: string[]) => Buffer.from(parts.join(''), 'hex');
const base64 = (encoded: string) => Buffer.from(encoded, 'base64');
/** Made by the command-line tools `zstd` and `lz4` 1.x. */
const byTools = {
  'zstd with its size': [
    zstdCodec,
    base64(
      'KLUv/SRPpQEAxAJjb21wcmVzc2VkIGJ5IHRoZSByZWZlcmVuY2UgdG9vbHMsIMOk4oKs8J+YgAEAY0j1BAFKHis=',
    ),
  ],
  'zstd of a stream': [
    zstdCodec,
    base64('KLUv/QBYpQEAxAJjb21wcmVzc2VkIGJ5IHRoZSByZWZlcmVuY2UgdG9vbHMsIMOk4oKs8J+YgAEAY0j1BA=='),
  ],
  lz4: [
    lz4Codec,
    base64(
      'BCJNGGRApzIAAAD/FGNvbXByZXNzZWQgYnkgdGhlIHJlZmVyZW5jZSB0b29scywgIwAQkMOk4oKs8J+YgAAAAADdkkWv',
    ),
  ],
  'lz4 with its size, and checksums of its blocks': [
    lz4Codec,
    base64(
      'BCJNGHxATwAAAAAAAACQMgAAAP8UY29tcHJlc3NlZCBieSB0aGUgcmVmZXJlbmNlIHRvb2xzLCAjABCQw6Tigqzwn5iAG4NJgwAAAADdkkWv',
    ),
  ],
} as const;

function xerial(...blocks: Buffer[]): Buffer {
  return Buffer.concat([
    hex('82534e41505059000000000100000001'),
    ...blocks.flatMap((block) => {
      const bytes = snappy.compress(block);
      const length = Buffer.alloc(4);
      length.writeInt32BE(bytes.length);
      return [length, bytes];
    }),
  ]);
}

describe('compressed batches', () => {
  it.each(Object.entries(byTools))(
    'are read as the reference tools write them: %s',
    (_, [codec, bytes]) => {
      expect(decompress(codec, bytes).toString()).toBe(text);
    },
  );

  it('are read in snappy, as one block and as the blocks of a stream', () => {
    const block = Buffer.from(text);
    expect(decompress(snappyCodec, snappy.compress(block)).toString()).toBe(text);
    expect(decompress(snappyCodec, xerial(block, Buffer.from('!'))).toString()).toBe(`${text}!`);
    expect(decompress(snappyCodec, xerial()).length).toBe(0);
  });

  it('are read in lz4 and zstd whatever their blocks are, and as several frames', () => {
    const long = Buffer.from(`${text.repeat(100_000)}end`);
    expect(decompress(lz4Codec, Buffer.from(lz4.compress(long))).equals(long)).toBe(true);
    const noise = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * index) % 251));
    expect(decompress(lz4Codec, Buffer.from(lz4.compress(noise))).equals(noise)).toBe(true);
    // "abc" as it is, and 300 times an "x".
    const frame = hex('28b52ffd0058', '180000', '616263', '630900', '78');
    const read = decompress(zstdCodec, Buffer.concat([frame, frame])).toString();
    expect(read).toBe(`abc${'x'.repeat(300)}`.repeat(2));
  });

  it('give records whose parts are views of what was decompressed', async () => {
    const batch = await encodedBatch({
      baseOffset: 5,
      records: [{ offsetDelta: 0, key: 'k', value: text, headers: { a: 'b' } }],
    });
    const records = batch.subarray(61);
    for (const [codec, bytes] of [
      [gzipCodec, gzipSync(records)],
      [snappyCodec, Buffer.from(snappy.compress(records))],
      [snappyCodec, xerial(records)],
      [lz4Codec, Buffer.from(lz4.compress(records))],
    ] as const) {
      const compressed = Buffer.concat([batch.subarray(0, 61), bytes]);
      compressed.writeInt16BE(codec, 21);
      sealed(compressed);
      const [record] = decodeRecords(
        { topic: 't', partition: 0, recordSet: compressed, aborted: [] },
        0n,
      ).records;
      expect(record?.key?.toString()).toBe('k');
      expect(record?.value?.toString()).toBe(text);
      expect(record?.headers).toEqual({ a: 'b' });
    }
  });
});

describe('what a producer compressed wrong', () => {
  it('cannot grow without a bound, whatever its lengths say', () => {
    const mebibyte = gzipSync(Buffer.alloc(1024 * 1024));
    const bomb = Buffer.concat(Array<Buffer>(largestBatchBytes / (1024 * 1024) + 1).fill(mebibyte));
    expect(() => decompress(gzipCodec, bomb)).toThrow();
    const block = Buffer.from(snappy.compress(Buffer.from(text)));
    // What comes out is 256 MiB, it says.
    const snappyBomb = Buffer.concat([hex('ffffff7f'), block.subarray(1)]);
    expect(() => decompress(snappyCodec, snappyBomb)).toThrow('too big');
    const stream = xerial(Buffer.from(text));
    stream.writeInt32BE(0x7fffffff, 16);
    expect(() => decompress(snappyCodec, stream)).toThrow('does not fit');
    const overlong = Buffer.concat([hex('80808040'), Buffer.alloc(3 * 2_200_000, 0xfe)]);
    expect(() => decompress(snappyCodec, overlong)).toThrow('decompresses to more than');
    const lz4Bomb = Buffer.concat([
      hex('04224d18607000'),
      ...Array<Buffer>(40).fill(Buffer.concat([hex('00600000'), Buffer.alloc(0x6000, 0xff)])),
      hex('00000000'),
    ]);
    expect(() => decompress(lz4Codec, lz4Bomb)).toThrow('decompresses to more than');
    const zeroes = '020010' + '00';
    const zstdBomb = hex('28b52ffd0058', zeroes.repeat(1025), '010000');
    expect(() => decompress(zstdCodec, zstdBomb)).toThrow(/more than|larger than/);
  });

  it('is not worked on for longer than its length can mean', () => {
    // A block of 2 GiB in a frame that says to become ten bytes.
    const lz4Frame = hex('04224d186840', '0a00000000000000', '00', 'ffffffff', '00', '00000000');
    expect(() => decompress(lz4Codec, lz4Frame)).toThrow('a block does not fit');
    // 20 bytes that copy 98,047 times 131,075 bytes.
    const sequences = '00' + 'ffffff' + '54' + '230034' + '01';
    const zstdFrame = hex('28b52ffd0058', '4d0000', sequences);
    expect(() => decompress(zstdCodec, zstdFrame)).toThrow();
    // A literal whose length is negative in 32 bits, which goes back to its own beginning.
    const snappyBlock = hex('20', '0061', 'fcf8ffffff', '61'.repeat(30));
    expect(() => decompress(snappyCodec, snappyBlock)).toThrow('does not fit');
    // A match that goes on for 255 times the length of the block.
    const match = Buffer.concat([hex('1f61', '0100'), Buffer.alloc(60_000, 0xff), hex('00')]);
    const head = Buffer.alloc(4);
    head.writeUInt32LE(match.length);
    const lz4Match = Buffer.concat([hex('04224d18604000'), head, match, hex('00000000')]);
    expect(() => decompress(lz4Codec, lz4Match)).toThrow('becomes larger than it may');
  });

  it('is refused where it ends too early, and never read as less', () => {
    for (const [codec, bytes] of [
      ...Object.values(byTools),
      [gzipCodec, gzipSync(text)],
      [snappyCodec, snappy.compress(Buffer.from(text))],
      [snappyCodec, xerial(Buffer.from(text), Buffer.from(text)).subarray(0, -1)],
    ] as const)
      for (let length = 0; length < bytes.length; length += 1) {
        // A stream of snappy has no end that could be missed.
        if (codec === snappyCodec && [16, 20 + bytes.readUInt32BE(16)].includes(length)) continue;
        const cut = Buffer.from(bytes.subarray(0, length));
        let read: Buffer;
        try {
          read = decompress(codec, cut);
        } catch {
          continue;
        }
        expect([codec, length, read.toString()]).toEqual([codec, length, text]);
      }
  });

  it('is refused where the bytes are not of the codec', () => {
    for (const codec of [gzipCodec, lz4Codec, zstdCodec])
      expect(() => decompress(codec, Buffer.from(text))).toThrow();
    expect(() => decompress(5, Buffer.from(text))).toThrow('codec 5');
  });

  it.each([
    ['gzip', gzipCodec, gzipSync(text.repeat(20))],
    ['snappy', snappyCodec, snappy.compress(Buffer.from(text.repeat(20)))],
    ['a stream of snappy', snappyCodec, xerial(Buffer.from(text), Buffer.from(text))],
    ['lz4', lz4Codec, Buffer.from(lz4.compress(Buffer.from(text.repeat(20))))],
    ...Object.entries(byTools).map(([name, [codec, bytes]]) => [name, codec, bytes] as const),
  ] as const)(
    'is decompressed or refused, whichever bytes of it are wrong: %s',
    (_, codec, whole) => {
      const wrongBytes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      });
      fc.assert(
        fc.property(wrongBytes, (wrong) => {
          const bytes = Buffer.from(whole);
          for (const [at, byte] of wrong) bytes[at] = byte;
          let read: Buffer;
          try {
            read = decompress(codec, bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
            return;
          }
          expect(read.length).toBeLessThanOrEqual(1100 * bytes.length);
        }),
        { numRuns: 2000 },
      );
    },
  );
});
