import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chunkKey, chunksOf } from './chunks.ts';
import { csvRows } from './csv-rows.ts';
import { inspectFile, readText } from './import-file.ts';
import { maxRowChars, type ImportRow } from './import-row.ts';
import { ndjsonRows } from './ndjson-rows.ts';

const { signal } = new AbortController();

async function* pieces(...texts: string[]): AsyncGenerator<string> {
  for (const text of texts) {
    await Promise.resolve();
    yield text;
  }
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The rows of CSV text, every column as text under its own name. */
const csv = (
  text: AsyncIterable<string>,
  { delimiter = ',', ignoreOthers = false }: { delimiter?: string; ignoreOthers?: boolean } = {},
) =>
  all(
    csvRows(text, {
      delimiter,
      ignoreOthers,
      plan: (columns) => (cell) =>
        JSON.stringify(
          Object.fromEntries(
            columns.flatMap((column) => (cell(column) === '' ? [] : [[column, cell(column)]])),
          ),
        ),
    }),
  );
const text = (line: number, value: object): ImportRow => ({ line, text: JSON.stringify(value) });

describe('CSV', () => {
  test('gives each record with the line on which it begins', async () => {
    expect(await csv(pieces('a,b\r\n1,"x\r\ny"\r\n\r\n2,"q""q"\n', '3,\n'))).toEqual([
      text(2, { a: '1', b: 'x\r\ny' }),
      text(5, { a: '2', b: 'q"q' }),
      text(6, { a: '3' }),
    ]);
  });

  test('a record with another count of cells is an error of its line, and its neighbours are not', async () => {
    expect(await csv(pieces('a,b\n1\n2,3\n4,5,6\n'))).toEqual([
      expect.objectContaining({
        line: 2,
        error: expect.objectContaining({
          detail: 'it has 1 cells, and there are 2 columns',
        }) as unknown,
      }),
      text(3, { a: '2', b: '3' }),
      expect.objectContaining({ line: 4 }),
    ]);
  });

  test('a quote that does not end is said with its record, and not with its content', async () => {
    const reading = csv(pieces('a,b\n1,2\n3,"secret\n4,5\n'));
    await expect(reading).rejects.toThrow(/record 3 of the CSV.*\(CSV_QUOTE_NOT_CLOSED\)/);
    await expect(reading).rejects.not.toThrow(/secret/);
  });

  test('a record without an end is given up before it fills the memory', async () => {
    async function* endless(): AsyncGenerator<string> {
      yield 'a,b\n1,"';
      for (;;) {
        await Promise.resolve();
        yield 'x'.repeat(65_536);
      }
    }
    await expect(csv(endless())).rejects.toThrow('CSV_MAX_RECORD_SIZE');
  });

  test('what spreadsheets leave behind means nothing: blank rows, and empty cells behind the last column', async () => {
    expect(await csv(pieces('a,b,,\n,,,\n1,2,,\n3,4\n5,6,,,,\n,,\n7,8,x,\n'))).toEqual([
      text(3, { a: '1', b: '2' }),
      text(4, { a: '3', b: '4' }),
      text(5, { a: '5', b: '6' }),
      expect.objectContaining({
        line: 7,
        error: expect.objectContaining({
          detail: expect.stringContaining('cell 3 stands under a column without a name') as unknown,
        }) as unknown,
      }),
    ]);
    expect(await csv(pieces(',a,,b\nx,1,,2\n'), { ignoreOthers: true })).toEqual([
      text(2, { a: '1', b: '2' }),
    ]);
  });

  test('two columns of one name are refused', async () => {
    await expect(csv(pieces('a,a\n1,2\n'))).rejects.toThrow('two columns are called "a"');
  });

  test('a fault of the source is thrown, and nothing waits for ever', async () => {
    async function* broken(): AsyncGenerator<string> {
      yield 'a\n1\n';
      await Promise.resolve();
      throw new Error('the disk is gone');
    }
    await expect(csv(broken())).rejects.toThrow('the disk is gone');
  });

  test('however the text is cut, the rows are the same', async () => {
    const cell = fc.stringMatching(/^[ -~\n]{0,8}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 7 }),
        async (rows, size) => {
          const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
          const whole = ['"a","b"', ...rows.map((row) => row.map(quoted).join(','))].join('\n');
          const cut = whole.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
          let line = 2;
          const expected = rows.flatMap(([a, b]) => {
            const row = text(line, { ...(a && { a }), ...(b && { b }) });
            line += 1 + (a + b).split('\n').length - 1;
            return a === '' && b === '' ? [] : [row];
          });
          expect(await csv(pieces(...cut))).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('NDJSON', () => {
  test('lines go out as they stand, to the digit', async () => {
    expect(
      await all(ndjsonRows(pieces('{"a":1.', '50}\r\n\n {"b":12345678901234567890}'))),
    ).toEqual([
      { line: 1, text: '{"a":1.50}' },
      { line: 3, text: '{"b":12345678901234567890}' },
    ]);
  });

  test.each([
    ['{"a":', 'is not JSON'],
    ['[1]', 'it is no JSON object'],
    ['{"a":1,"a":2}', '/a'],
    [`"${'x'.repeat(maxRowChars + 1)}"`, 'more than 1048576 characters'],
  ])('a line that cannot be read is an error of that line', async (line, detail) => {
    const rows = await all(ndjsonRows(pieces(`{}\n${line}\n`, '{}\n')));
    expect(rows.map((row) => row.line)).toEqual([1, 2, 3]);
    expect(rows[1]).toMatchObject({
      error: { line: 2, detail: expect.stringContaining(detail) as unknown },
    });
  });

  test('a line without an end takes no more memory than a line may have', async () => {
    async function* long(): AsyncGenerator<string> {
      for (let count = 0; count < 200; count++) {
        await Promise.resolve();
        yield 'x'.repeat(65_536);
      }
      yield '\n{}';
    }
    expect(await all(ndjsonRows(long()))).toMatchObject([{ line: 1, error: {} }, { line: 2 }]);
  });
});

describe('a file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outbound-import-'));
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  const written = async (name: string, content: string | Buffer): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const read = async (path: string) =>
    (await all(readText(path, signal, () => undefined))).join('');

  test('is read without its byte order mark, unpacked if its name says so', async () => {
    expect(await read(await written('a.csv', '\ufeffä,b'))).toBe('ä,b');
    expect(await read(await written('a.csv.gz', gzipSync('ä,b')))).toBe('ä,b');
  });

  test('that is not UTF-8 is refused and not repaired', async () => {
    await expect(read(await written('a.csv', Buffer.from('n\u00e4me', 'latin1')))).rejects.toThrow(
      'is not UTF-8',
    );
    await expect(read(await written('b.csv', Buffer.from([0x61, 0xc3])))).rejects.toThrow(
      'is not UTF-8',
    );
  });

  test('a broken archive is an error', async () => {
    const packed = gzipSync('a'.repeat(1000));
    await expect(read(await written('a.gz', packed.subarray(0, 20)))).rejects.toThrow(
      'unexpected end of file',
    );
  });

  test('has a hash, and one that is not there has an error with its path', async () => {
    expect(await inspectFile(await written('a', 'abc'), signal)).toMatchObject({
      bytes: 3,
      hash: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
    await expect(inspectFile(join(folder, 'none'), signal)).rejects.toThrow(/none.*ENOENT/);
    await expect(inspectFile(folder, signal)).rejects.toThrow('no regular file');
  });
});

describe('chunks', () => {
  async function* rows(count: number, length = 1): AsyncGenerator<ImportRow> {
    for (let line = 1; line <= count; line++) {
      await Promise.resolve();
      yield { line, text: 'x'.repeat(length) };
    }
  }

  test('are cut by rows and by size, a row that is too long alone', async () => {
    const sizes = async (count: number, length: number) =>
      (await all(chunksOf(rows(count, length), { maxRows: 3, maxChars: 10 }))).map(
        ({ items }) => items.length,
      );
    expect(await sizes(7, 1)).toEqual([3, 3, 1]);
    expect(await sizes(5, 5)).toEqual([2, 2, 1]);
    expect(await sizes(2, 20)).toEqual([1, 1]);
    expect(await sizes(0, 1)).toEqual([]);
  });

  test('keep what cannot be sent in its place', async () => {
    const error = { line: 2, status: 400, type: 't', title: 't', detail: 'd' };
    async function* mixed(): AsyncGenerator<ImportRow> {
      await Promise.resolve();
      yield* [
        { line: 1, text: '{}' },
        { line: 2, error },
      ];
    }
    const [chunk] = await all(chunksOf(mixed(), { maxRows: 10, maxChars: 10 }));
    expect(chunk).toMatchObject({ number: 0, items: [{ line: 1 }], errors: [error], lastLine: 2 });
  });

  test('have a key of the file, the target, the place and the content', async () => {
    const [first, second] = await all(chunksOf(rows(2), { maxRows: 1, maxChars: 10 }));
    if (!first || !second) throw new Error('no chunks');
    const key = (hash: string, path: string, chunk = first) => chunkKey(hash, path, chunk);
    expect(key('h', '/products/batch')).toBe(key('h', '/products/batch'));
    expect(
      new Set([
        key('h', '/products/batch'),
        key('i', '/products/batch'),
        key('h', '/categories/batch'),
        key('h', '/products/batch', second),
        key('h', '/products/batch', { ...first, items: [{ line: 1, text: 'other' }] }),
      ]).size,
    ).toBe(5);
    expect(key('h', '/products/batch')).toMatch(/^import-[0-9a-f]{40}$/);
  });
});
