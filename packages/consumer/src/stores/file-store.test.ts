import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from './file-store.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snapshot-'));
  path = join(folder, 'state.ndjson');
});
afterEach(() => rm(folder, { recursive: true }));

const put = (key: string, version: number | undefined, value: string | undefined) => ({
  key,
  version,
  value: value === undefined ? undefined : Buffer.from(value),
});

describe('a snapshot file', () => {
  it('is written when the state is complete, a line for each key, and not before', async () => {
    const store = await openFileStore(path, 'topic');
    await store.clear();
    await store.applyBatch({
      partition: 0,
      nextOffset: 9n,
      entries: [
        put('a', 1, '{"data":\n{"n":1.50}}'),
        put('b "x"', undefined, '2'),
        put('c', 1, '{}'),
      ],
    });
    await store.applyBatch({ partition: 1, nextOffset: 4n, entries: [put('c', 2, undefined)] });
    await store.close();
    expect(await readdir(folder)).toEqual([]);
    await store.confirm(Date.parse('2026-01-02T03:04:05.000Z'));
    await store.caughtUp();
    expect(await readdir(folder)).toEqual(['state.ndjson']);
    expect((await readFile(path, 'utf8')).split('\n')).toEqual([
      '{"topic":"topic","current_at":"2026-01-02T03:04:05.000Z","keys":2,"positions":{"0":"9","1":"4"}}',
      '{"key":"a","version":1,"value":{"data": {"n":1.50}}}',
      '{"key":"b \\"x\\"","version":null,"value":2}',
      '',
    ]);
  });

  it('is read again: state, positions and how current it was', async () => {
    const first = await openFileStore(path, 'topic');
    await first.applyBatch({
      partition: 2,
      nextOffset: 7n,
      entries: [put('a', 5, '{"v":5}')],
    });
    await first.confirm(1000);
    await first.caughtUp();
    const second = await openFileStore(path, 'topic');
    expect(await second.positions()).toEqual({ offsets: new Map([[2, 7n]]), currentAtMs: 1000 });
    await second.applyBatch({
      partition: 2,
      nextOffset: 9n,
      entries: [put('a', 4, '{"v":4}'), put('b', 1, '{"v":1}')],
    });
    await second.close();
    expect((await readFile(path, 'utf8')).split('\n').slice(1)).toEqual([
      '{"key":"a","version":5,"value":{"v":5}}',
      '{"key":"b","version":1,"value":{"v":1}}',
      '',
    ]);
  });

  it.each([
    ['', 'it is empty'],
    ['nonsense', 'line 1'],
    [
      '{"topic":"other","current_at":"2026-01-01T00:00:00Z","keys":0,"positions":{}}\n',
      'one of other',
    ],
    [
      '{"topic":"topic","current_at":"2026-01-01T00:00:00Z","keys":2,"positions":{}}\n{"key":"a","version":1,"value":1}\n',
      'it says 2 keys and has 1',
    ],
  ])('refuses a file that is none: %j', async (text, why) => {
    await writeFile(path, text);
    await expect(openFileStore(path, 'topic')).rejects.toThrow(why);
  });

  it('says which key has a value that is not JSON, and leaves the file before alone', async () => {
    const store = await openFileStore(path, 'topic');
    await store.applyBatch({ partition: 0, nextOffset: 1n, entries: [put('a', 1, '1')] });
    await store.caughtUp();
    await store.applyBatch({ partition: 0, nextOffset: 2n, entries: [put('b', undefined, 'x')] });
    await expect(store.close()).rejects.toThrow('the value of key b is not JSON');
    expect(await readdir(folder)).toEqual(['state.ndjson']);
    expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(3);
  });
});
