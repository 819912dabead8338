import { afterEach, describe, expect, it } from 'vitest';
import { AnswerReader } from './answer-reader.ts';
import type { Fetcher } from './fetcher.ts';
import { encodedBatch, endOfTransaction } from './test-support/encoded-batch.ts';
import { at, p, reading, stopAll } from './test-support/fetcher-in-memory.ts';

afterEach(stopAll);

const mebibyte = 1024 * 1024;
/** One record of a mebibyte, in a kibibyte. */
const squeezed = (baseOffset: number) =>
  encodedBatch({
    baseOffset,
    compression: 1,
    records: [{ offsetDelta: 0, value: '0'.repeat(mebibyte) }],
  });
const readerOf = (recordSet: Buffer, aborted: { producerId: bigint; firstOffset: bigint }[] = []) =>
  new AnswerReader({ topic: 't', partition: 0, recordSet, aborted }, 0n);

describe('an answer', () => {
  it('is decompressed as far as it is asked for, and read to its end in parts', async () => {
    const reader = readerOf(Buffer.concat(await Promise.all([0, 1, 2, 3, 4].map(squeezed))));
    const parts: [number, number][] = [];
    while (!reader.isDone) {
      const { records, byteCount } = reader.read(2 * mebibyte);
      parts.push([records.length, Math.floor(byteCount / mebibyte)]);
    }
    expect(parts).toEqual([
      [2, 2],
      [2, 2],
      [1, 1],
    ]);
    expect(reader.read(1)).toEqual({ records: [], next: 5n, byteCount: 0 });
  });

  it('gives in parts what it gives at once, transactions that end in another part included', async () => {
    const transactional = (baseOffset: number) =>
      encodedBatch({
        baseOffset,
        producerId: 1,
        transactional: true,
        records: [{ offsetDelta: 0 }],
      });
    const bytes = Buffer.concat([
      await transactional(0),
      await endOfTransaction(1, 1, 'abort'),
      await transactional(2),
      await endOfTransaction(3, 1, 'commit'),
      await transactional(4),
      await endOfTransaction(5, 1, 'abort'),
      await encodedBatch({ baseOffset: 6, records: [{ offsetDelta: 0 }] }),
    ]);
    const aborted = [0n, 4n].map((firstOffset) => ({ producerId: 1n, firstOffset }));
    const reader = readerOf(bytes, aborted);
    const offsets: bigint[] = [];
    while (!reader.isDone) offsets.push(...reader.read(1).records.map(({ offset }) => offset));
    expect(offsets).toEqual([2n, 6n]);
  });

  it('that is broken in a later part is told there', async () => {
    const broken = await squeezed(2);
    broken[70] = (broken[70] as number) ^ 1;
    const reader = readerOf(Buffer.concat([await squeezed(0), await squeezed(1), broken]));
    expect(reader.read(mebibyte).next).toBe(1n);
    expect(reader.read(mebibyte).next).toBe(2n);
    expect(() => reader.read(mebibyte)).toThrow('t/0 cannot be read at offset 2: a batch there');
  });
});

describe('a fetcher whose answer decompresses to many times its length', () => {
  async function paused() {
    const holder: { fetcher?: Fetcher } = {};
    const parts: [number, number][] = [];
    const setUp = reading({
      onRecords: ({ records, next, byteCount }) => {
        if (records.length === 0) return;
        parts.push([Number(next), Math.floor(byteCount / mebibyte)]);
        holder.fetcher?.pause([p(0)]);
      },
    });
    const { log, fetcher, clock } = setUp;
    holder.fetcher = fetcher;
    for (const baseOffset of [0, 1, 2]) {
      const bytes = await squeezed(baseOffset);
      log.partition(0).batches.push({ baseOffset, lastOffset: baseOffset, bytes });
    }
    fetcher.assign([at(0, 0)]);
    await clock.advance(1000);
    return { ...setUp, parts };
  }

  it('has one batch of it in memory while its owner has not taken that, and asks for nothing again', async () => {
    const { log, fetcher, clock, parts } = await paused();
    expect(parts).toEqual([[1, 1]]);
    expect(fetcher.position(p(0))).toBe(1n);
    fetcher.resume([p(0)]);
    await clock.advance(1000);
    expect(parts).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(log.asked.length).toBe(1);
    fetcher.resume([p(0)]);
    await clock.advance(1000);
    expect(parts.at(-1)).toEqual([3, 1]);
    expect(log.asked.length).toBe(1);
    fetcher.resume([p(0)]);
    await clock.advance(100);
    expect(log.asked.length).toBe(2);
  });

  it('forgets the rest when the partition is sought, or goes', async () => {
    const { fetcher, clock, parts } = await paused();
    fetcher.seek(at(0, 2));
    fetcher.resume([p(0)]);
    await clock.advance(1000);
    expect(parts.map(([next]) => next)).toEqual([1, 3]);
    fetcher.seek(at(0, 0));
    fetcher.resume([p(0)]);
    await clock.advance(1000);
    expect(parts.map(([next]) => next)).toEqual([1, 3, 1]);
    fetcher.revoke([p(0)]);
    await clock.advance(1000);
    expect(parts.length).toBe(3);
  });

  it('reads it to its end without an owner that pauses', async () => {
    const { log, fetcher, clock, got } = reading();
    for (const baseOffset of [0, 1, 2]) {
      const bytes = await squeezed(baseOffset);
      log.partition(0).batches.push({ baseOffset, lastOffset: baseOffset, bytes });
    }
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    expect(got.length).toBe(3);
    expect(log.asked.length).toBe(2);
  });

  it("ends with what its owner's functions throw at a later part", async () => {
    const { log, fetcher, clock, run } = reading({
      onRecords: ({ from }) => {
        if (from === 1n) throw new Error('the owner is broken');
      },
    });
    for (const baseOffset of [0, 1]) {
      const bytes = await squeezed(baseOffset);
      log.partition(0).batches.push({ baseOffset, lastOffset: baseOffset, bytes });
    }
    fetcher.assign([at(0, 0)]);
    await clock.advance(1000);
    await expect(run).rejects.toThrow('the owner is broken');
  });
});
