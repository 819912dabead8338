import { spawnSync } from 'node:child_process';
import {
  appendFile,
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { schemaIdPrefix } from '@outbound/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from './file-store.ts';
import type { StateStore } from './state-store.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snapshot-'));
  path = join(folder, 'state.ndjson');
});
afterEach(async () => {
  await Promise.allSettled(opened.splice(0).map((store) => store.close()));
  await rm(folder, { recursive: true });
});

const opened: StateStore[] = [];
/** Closed when the test has ended. */
async function open(named: string, topic: string): Promise<StateStore> {
  const store = await openFileStore(named, topic);
  opened.push(store);
  return store;
}

const put = (key: string, version: number | undefined, value: string | Buffer | undefined) => ({
  key,
  version,
  value: value === undefined ? undefined : Buffer.from(value),
  partition: 4,
  offset: 11n,
});
const at = (nextOffset: bigint, partition = 0) => ({
  partition,
  nextOffset,
  mark: `m${nextOffset}`,
});
const lines = async () => (await readFile(path, 'utf8')).split('\n');

describe('a snapshot file', () => {
  it('is written when the state is complete, a line for each key, and not before', async () => {
    const store = await open(path, 'topic');
    await store.clear(0);
    await store.applyBatch({
      positions: [at(9n), at(4n, 1)],
      entries: [
        put('a', 1, '{"data":\r\n{"n":1.50}}'),
        put('b "x"', undefined, '2'),
        put('c', 1, '{}'),
      ],
    });
    await store.applyBatch({ positions: [at(5n, 1)], entries: [put('c', 2, undefined)] });
    expect(await readdir(folder)).toEqual([]);
    await store.confirm(Date.parse('2026-01-02T03:04:05.000Z'));
    await store.caughtUp();
    expect(await readdir(folder)).toEqual(['state.ndjson']);
    expect(await lines()).toEqual([
      '{"topic":"topic","current_at":"2026-01-02T03:04:05.000Z","keys":2,"positions":{"0":"9","1":"5"},"marks":{"0":"m9","1":"m5"}}',
      '{"key":"a","version":1,"value":{"data":  {"n":1.50}}}',
      '{"key":"b \\"x\\"","version":null,"value":2}',
      '',
    ]);
  });

  it('is read again: state, positions and how current it was', async () => {
    const odd = ',"version":1,"value":{}"\\\n\u{1f600}';
    const first = await open(path, 'topic');
    await first.applyBatch({
      positions: [at(7n, 2)],
      entries: [put('a', 5, '{"v":5,"s":",\\"value\\":"}'), put(odd, -3, '1')],
    });
    await first.confirm(1000);
    await first.caughtUp();
    const second = await open(path, 'topic');
    expect(await second.positions()).toEqual({
      partitions: new Map([[2, at(7n, 2)]]),
      currentAtMs: 1000,
    });
    await second.applyBatch({
      positions: [at(9n, 2)],
      entries: [put('a', 4, '{"v":4}'), put(odd, -4, '9'), put('b', 1, '{"v":1}')],
    });
    await second.close();
    expect((await lines()).slice(1)).toEqual([
      '{"key":"a","version":5,"value":{"v":5,"s":",\\"value\\":"}}',
      `{"key":${JSON.stringify(odd)},"version":-3,"value":1}`,
      '{"key":"b","version":1,"value":{"v":1}}',
      '',
    ]);
  });

  it('keeps large and many values, byte for byte, over several writings', async () => {
    const large = `{"t":"${'ä'.repeat(1_500_000)}"}`;
    const entries = Array.from({ length: 20_000 }, (_, n) =>
      put(`k${n}`, n, `{"n":"${'x'.repeat(100)}"}`),
    );
    const store = await open(path, 'topic');
    await store.applyBatch({ positions: [at(1n)], entries: [...entries, put('large', 1, large)] });
    await store.caughtUp();
    const again = await open(path, 'topic');
    await again.confirm(1);
    await again.close();
    const found = await lines();
    expect(found).toHaveLength(20_003);
    expect(found[20_001]).toBe(`{"key":"large","version":1,"value":${large}}`);
    expect(found[7]).toBe(`{"key":"k6","version":6,"value":{"n":"${'x'.repeat(100)}"}}`);
  });

  it.each([0o600, 0o640, 0o664])(
    'keeps the rights that the one before it had: %i',
    async (mode) => {
      await (await open(path, 'topic')).caughtUp();
      await chmod(path, mode);
      const store = await open(path, 'topic');
      await store.applyBatch({ positions: [at(1n)], entries: [put('a', 1, '1')] });
      await store.clear(0);
      await store.caughtUp();
      expect((await stat(path)).mode & 0o777).toBe(mode);
    },
  );

  it('removes what writers left that were killed, and nothing else', async () => {
    const others = [
      'state.ndjson.tmp',
      'state.ndjson.0123456789ab.tmp.txt',
      'other.0123456789ab.tmp',
    ];
    for (const name of [
      ...others,
      'state.ndjson.0123456789ab.tmp',
      'state.ndjson.ba9876543210.tmp',
    ])
      await writeFile(join(folder, name), '{"topic":"topic"');
    await mkdir(join(folder, 'state.ndjson.aaaaaaaaaaaa.tmp'));
    await open(path, 'topic');
    expect((await readdir(folder)).toSorted()).toEqual(
      [...others, 'state.ndjson.aaaaaaaaaaaa.tmp'].toSorted(),
    );
  });

  it('stays whole after a clearing until the next one is complete, and counts again if that never is', async () => {
    const first = await open(path, 'topic');
    await first.applyBatch({ positions: [at(7n)], entries: [put('a', 1, '1'), put('b', 1, '1')] });
    await first.confirm(1000);
    await first.caughtUp();
    const text = await readFile(path, 'utf8');
    const failing = await open(path, 'topic');
    await failing.clear(2000);
    expect((await failing.positions()).partitions.size).toBe(0);
    await failing.applyBatch({ positions: [at(2n)], entries: [put('a', 2, '2')] });
    await failing.close();
    expect(await readFile(path, 'utf8')).toBe(text);
    const again = await open(path, 'topic');
    expect(await again.positions()).toEqual({
      partitions: new Map([[0, at(7n)]]),
      currentAtMs: 1000,
    });
    await again.clear(3000);
    await again.applyBatch({ positions: [at(3n)], entries: [put('a', 3, '3')] });
    await again.caughtUp();
    expect((await lines()).slice(1)).toEqual(['{"key":"a","version":3,"value":3}', '']);
  });

  it('has no positions to trust where an earlier release wrote it', async () => {
    await writeFile(
      path,
      '{"topic":"topic","current_at":"2026-01-01T00:00:00.000Z","keys":0,"positions":{"0":"5"}}\n',
    );
    const { partitions } = await (await open(path, 'topic')).positions();
    expect(partitions.get(0)).toEqual({ partition: 0, nextOffset: 5n, mark: '' });
  });

  it('leaves out the five bytes that name a schema', async () => {
    const store = await open(path, 'topic');
    const value = Buffer.concat([schemaIdPrefix(7), Buffer.from('{"n":1}')]);
    await store.applyBatch({ positions: [at(1n)], entries: [put('a', 1, value)] });
    await store.caughtUp();
    expect((await lines())[1]).toBe('{"key":"a","version":1,"value":{"n":1}}');
    await open(path, 'topic');
  });

  it.each(['x', '', '{"a":1', Buffer.from([0x22, 0xff, 0x22]), schemaIdPrefix(1)])(
    'names the record whose value is not JSON, and takes nothing of its step: %j',
    async (value) => {
      const store = await open(path, 'topic');
      await store.applyBatch({ positions: [at(1n)], entries: [put('a', 1, '1')] });
      await store.caughtUp();
      await expect(
        store.applyBatch({ positions: [at(2n)], entries: [put('a', 2, '2'), put('b', 1, value)] }),
      ).rejects.toMatchObject({
        code: 'STATE_UNREADABLE',
        message: expect.stringContaining('topic/4 offset 11 is not JSON') as string,
      });
      await store.close();
      expect((await lines())[1]).toBe('{"key":"a","version":1,"value":1}');
      expect((await store.positions()).partitions.get(0)?.nextOffset).toBe(1n);
    },
  );
});

describe('what is no snapshot of this topic', () => {
  const head = (topic: string, keys: number) =>
    `{"topic":"${topic}","current_at":"2026-01-01T00:00:00Z","keys":${keys},"positions":{}}\n`;
  it.each([
    ['', 'it is empty'],
    ['nonsense', 'its first line'],
    ['{"topic":1}\n', 'line 1'],
    [head('other', 0), 'it is one of other'],
    [`${head('topic', 2)}{"key":"a","version":1,"value":1}\n`, 'it says 2 keys and has 1'],
    [`${head('topic', 1)}{"key":"a","version":1,"value":1,"more":2}\n`, 'line 2'],
    [`${head('topic', 1)}{"key":"a","version":1,"value":{}\n`, 'line 2'],
    [`${head('topic', 1)}{"version":1,"value":1,"key":"a"}\n`, 'line 2'],
    [`${head('topic', 1)}\n`, 'line 2'],
  ])('is refused and left as it is: %j', async (text, why) => {
    await writeFile(path, text);
    await expect(open(path, 'topic')).rejects.toThrow(why);
    expect(await readFile(path, 'utf8')).toBe(text);
    expect(await readdir(folder)).toEqual(['state.ndjson']);
  });

  it('is refused without being read: a huge file without line ends, with our beginning or not', async () => {
    await writeFile(path, '');
    await truncate(path, 1024 ** 4);
    await expect(open(path, 'topic')).rejects.toThrow('its first line');
    await writeFile(path, '{"topic":');
    await truncate(path, 1024 ** 4);
    await expect(open(path, 'topic')).rejects.toThrow('line 1');
  });

  it('is refused at once, and never waited for: a pipe, a device, a folder, a socket, a link', async () => {
    const refusal = async (named: string) => {
      const thrown: unknown = await open(named, 'topic').catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'STORE_UNUSABLE' });
      return (thrown as Error).message;
    };
    spawnSync('mkfifo', [path]);
    expect(await refusal(path)).toContain('is a pipe');
    expect((await lstat(path)).isFIFO()).toBe(true);
    for (const device of ['/dev/null', '/dev/zero'])
      expect(await refusal(device)).toContain('is a device');
    expect(await refusal(folder)).toContain('is a folder');
    const socket = createServer().listen(join(folder, 'socket'));
    await once(socket, 'listening');
    expect(await refusal(join(folder, 'socket'))).toContain('a socket');
    socket.close();
    await writeFile(join(folder, 'theirs'), 'theirs');
    await symlink(join(folder, 'theirs'), join(folder, 'link'));
    await symlink(join(folder, 'nowhere'), join(folder, 'dangling'));
    for (const link of ['link', 'dangling'])
      expect(await refusal(join(folder, link))).toContain('is a symbolic link');
    expect(await readFile(join(folder, 'theirs'), 'utf8')).toBe('theirs');
  });

  it('is not written over if it came meanwhile, whatever it is', async () => {
    for (const come of [
      () => writeFile(path, 'theirs'),
      () => mkdir(path),
      () => symlink('/dev/null', path),
    ]) {
      const store = await open(path, 'topic');
      await store.applyBatch({ positions: [at(1n)], entries: [put('a', 1, '1')] });
      await come();
      await expect(store.caughtUp()).rejects.toThrow('somebody else wrote');
      await expect(store.clear(0)).rejects.toThrow('somebody else wrote');
      expect(await readdir(folder)).toEqual(['state.ndjson']);
      await rm(path, { recursive: true });
    }
  });

  it('is our own snapshot that somebody changed meanwhile', async () => {
    const first = await open(path, 'topic');
    await first.caughtUp();
    const store = await open(path, 'topic');
    await appendFile(path, 'theirs');
    const text = await readFile(path, 'utf8');
    await store.applyBatch({ positions: [at(1n)], entries: [put('a', 1, '1')] });
    await expect(store.close()).rejects.toThrow('somebody else wrote');
    await expect(store.clear(0)).rejects.toThrow('somebody else wrote');
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('says in one sentence that a place cannot be written to', async () => {
    await writeFile(join(folder, 'file'), '');
    const under = join(folder, 'file', 'state.ndjson');
    await expect(open(under, 'topic')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    const full = await open('/proc/state.ndjson', 'topic');
    await expect(full.caughtUp()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
