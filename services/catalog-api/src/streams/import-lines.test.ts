import { describe, expect, it } from 'vitest';
import { ApiError } from '../errors.ts';
import type { ImportChunk } from './import-chunks.ts';
import { importAnswer } from './import-lines.ts';

const chunkOf = (number: number): ImportChunk => ({
  number,
  characters: 1,
  lines: [0, 1].map((i) => ({ number: 2 * number + i + 1, text: '{}' })),
});

async function run(options: {
  readonly chunks: AsyncIterable<ImportChunk>;
  readonly fails?: number;
  readonly isMinimal?: boolean;
  readonly log?: string[];
}) {
  const { chunks, fails, isMinimal = false, log = [] } = options;
  const parts: string[] = [];
  const answer = importAnswer({
    chunks,
    prepare: (chunk) => {
      log.push(`prepare ${chunk.number}`);
      return Promise.resolve(chunk.number);
    },
    write: async ({ number, lines }) => {
      await Promise.resolve();
      if (number === fails) throw new ApiError('UNAVAILABLE', 'no database');
      const [good, bad] = lines;
      const problem = JSON.stringify({ detail: '{"line":1,"status":201\n' });
      const body = `{"line":${good?.number},"status":201}\n{"line":${bad?.number},"status":400,"problem":${problem}}\n`;
      return { status: 207, headers: {}, body, isRepeated: number === 0 };
    },
    isMinimal,
    problemLine: (error) => `problem: ${(error as Error).message}\n`,
  });
  for await (const part of answer) {
    log.push('answer');
    parts.push(part);
  }
  return parts.join('').split('\n').slice(0, -1);
}

async function* numbers(count: number, error?: Error): AsyncGenerator<ImportChunk> {
  for (let i = 0; i < count; i++) yield await Promise.resolve(chunkOf(i));
  if (error !== undefined) throw error;
}

describe('the answer to an import', () => {
  it('has an outcome for each line in their order, and an end with the counts', async () => {
    const lines = await run({ chunks: numbers(2) });
    expect(lines.slice(0, -1).map((line) => /^\{"line":(\d)/.exec(line)?.[1])).toEqual([
      '1',
      '2',
      '3',
      '4',
    ]);
    expect(lines.at(-1)).toBe('{"end":{"lines":4,"succeeded":2,"failed":2,"repeated":2}}');
    expect(await run({ chunks: numbers(0) })).toEqual([
      '{"end":{"lines":0,"succeeded":0,"failed":0,"repeated":0}}',
    ]);
  });

  it('leaves out what succeeded where that is asked for', async () => {
    const lines = await run({ chunks: numbers(2), isMinimal: true });
    expect(lines.map((line) => line.slice(0, 10))).toEqual([
      '{"line":2,',
      '{"done":2,',
      '{"line":4,',
      '{"done":4,',
      '{"end":{"l',
    ]);
  });

  it('checks one chunk while the one before is written, and no more', async () => {
    const log: string[] = [];
    await run({ chunks: numbers(4), log });
    expect(log.slice(0, 5)).toEqual(['prepare 0', 'prepare 1', 'answer', 'prepare 2', 'answer']);
  });

  it('tells what was written before it tells why it breaks off', async () => {
    const broken = await run({ chunks: numbers(2, new Error('the body broke')) });
    expect(broken).toHaveLength(5);
    expect(broken.at(-1)).toBe('problem: the body broke');
    const failed = await run({ chunks: numbers(4), fails: 2 });
    expect(failed).toHaveLength(5);
    expect(failed.at(-1)).toBe('problem: no database');
  });

  it('is an error and no stream where nothing was told yet', async () => {
    await expect(run({ chunks: numbers(0, new Error('broke')) })).rejects.toThrow('broke');
    await expect(run({ chunks: numbers(2), fails: 0 })).rejects.toThrow('no database');
  });
});
