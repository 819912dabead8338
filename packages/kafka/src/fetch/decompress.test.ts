import { gzipSync } from 'node:zlib';
import * as lz4 from 'lz4js';
import * as snappy from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { decodeRecords } from './decode-records.ts';
import { decompress, largestBatchBytes } from './decompress.ts';
import { encodedBatch } from './test-support/encoded-batch.ts';
import { sealed } from './test-support/sealed.ts';

const text = 'compressed by the reference tools, compressed by the reference tools, ä€😀';
/** Made by the command-line tools `zstd` and `lz4` 1.x. */
const byTools = {
  'zstd with its size': [
    4,
    'KLUv/SRPpQEAxAJjb21wcmVzc2VkIGJ5IHRoZSByZWZlcmVuY2UgdG9vbHMsIMOk4oKs8J+YgAEAY0j1BAFKHis=',
  ],
  'zstd of a stream': [
    4,
    'KLUv/QBYpQEAxAJjb21wcmVzc2VkIGJ5IHRoZSByZWZlcmVuY2UgdG9vbHMsIMOk4oKs8J+YgAEAY0j1BA==',
  ],
  lz4: [
    3,
    'BCJNGGRApzIAAAD/FGNvbXByZXNzZWQgYnkgdGhlIHJlZmVyZW5jZSB0b29scywgIwAQkMOk4oKs8J+YgAAAAADdkkWv',
  ],
} as const;

function xerial(...blocks: Buffer[]): Buffer {
  const head = Buffer.from('82534e41505059000000000100000001', 'hex');
  return Buffer.concat([
    head,
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
    (_, [codec, base64]) => {
      expect(decompress(codec, Buffer.from(base64, 'base64')).toString()).toBe(text);
    },
  );

  it('are read in snappy, as one block and as the blocks of a stream', () => {
    const block = Buffer.from(text);
    expect(decompress(2, snappy.compress(block)).toString()).toBe(text);
    expect(decompress(2, xerial(block, Buffer.from('!'))).toString()).toBe(`${text}!`);
    expect(decompress(2, xerial()).length).toBe(0);
  });

  it('give records whose parts are views of what was decompressed', async () => {
    const batch = await encodedBatch({
      baseOffset: 5,
      records: [{ offsetDelta: 0, key: 'k', value: text, headers: { a: 'b' } }],
    });
    const records = batch.subarray(61);
    for (const [codec, bytes] of [
      [1, gzipSync(records)],
      [2, Buffer.from(snappy.compress(records))],
      [2, xerial(records)],
      [3, Buffer.from(lz4.compress(records))],
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

  it('cannot grow without a bound, whatever a damaged length says', () => {
    const mebibyte = gzipSync(Buffer.alloc(1024 * 1024));
    const bomb = Buffer.concat(Array<Buffer>(largestBatchBytes / (1024 * 1024) + 1).fill(mebibyte));
    expect(() => decompress(1, bomb)).toThrow();
    const block = Buffer.from(snappy.compress(Buffer.from(text)));
    // What comes out is 256 MiB, it says.
    const snappyBomb = Buffer.concat([Buffer.from('ffffff7f', 'hex'), block.subarray(1)]);
    expect(() => decompress(2, snappyBomb)).toThrow('too big');
    const stream = xerial(Buffer.from(text));
    stream.writeInt32BE(0x7fffffff, 16);
    expect(() => decompress(2, stream)).toThrow('does not fit');
    const sized = Buffer.from('04224d186c40ffffffffffffff7f00000000000000000000', 'hex');
    expect(() => decompress(3, sized)).toThrow('decompresses to more than');
  });

  it('are refused where the bytes are not of the codec', () => {
    for (const codec of [1, 3, 4]) expect(() => decompress(codec, Buffer.from(text))).toThrow();
    expect(() => decompress(5, Buffer.from(text))).toThrow('codec 5');
  });
});
