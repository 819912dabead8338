import { describe, expect, it } from 'vitest';
import { chunkHash, importChunk, readChunks, type ImportChunk } from './import-chunks.ts';

async function chunksOf(text: string, step: number): Promise<readonly ImportChunk[]> {
  const bytes = Buffer.from(text);
  const pieces = (async function* () {
    for (let at = 0; at < bytes.length; at += step)
      yield await Promise.resolve(bytes.subarray(at, at + step));
  })();
  const chunks: ImportChunk[] = [];
  for await (const chunk of readChunks(pieces, () => undefined)) chunks.push(chunk);
  return chunks;
}

describe('chunks of an import', () => {
  const small = Array.from({ length: 250 }, (_, i) => `{"n":${i}}\n`).join('');
  const large = Array.from({ length: 5 }, (_, i) => `"${'x'.repeat(100_000)}${i}"\n`).join('');

  it('are as many lines and characters as one transaction takes', async () => {
    const chunks = await chunksOf(small + large, 65_536);
    expect(chunks.map(({ number, lines }) => [number, lines.length])).toEqual([
      [0, 100],
      [1, 100],
      [2, 52],
      [3, 2],
      [4, 1],
    ]);
    for (const { characters } of chunks)
      expect(characters).toBeLessThanOrEqual(importChunk.characters);
  });

  it('are the same however the bytes come, and other lines give another hash', async () => {
    const hashes = async (text: string, step: number) =>
      (await chunksOf(text, step)).map((chunk) => chunkHash(chunk, 'm').toString('hex'));
    const some = await hashes(small, 13);
    expect(await hashes(small, 100_000)).toEqual(some);
    const other = await hashes(small.replace('"n":120', '"n":121'), 13);
    expect(other.map((hash, i) => hash === some[i])).toEqual([true, false, true]);
    const [chunk] = await chunksOf(small, 13);
    if (chunk !== undefined) expect(chunkHash(chunk, 'other').toString('hex')).not.toBe(some[0]);
  });
});
