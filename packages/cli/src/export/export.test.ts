import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { outbound } from '../test-support/outbound.ts';
import { blockChars } from './export-blocks.ts';

const position = '16/B374D848';
const at = '2026-11-27T15:04:05.123Z';
const idOf = (n: number): string => `019376e4-8c3a-7c7e-a1b2-${n.toString(16).padStart(12, '0')}`;
const textOf = (n: number): string =>
  `{"id":"${idOf(n)}","price":1.50,"version":12345678901234567890}`;
const head = `{"export":{"event_type":"catalog.product-change","position":"${position}","at":"${at}"}}`;
const end = (count: number): string => `{"end":{"count":${count},"position":"${position}"}}`;
/** A file that is whole. */
const whole = (numbers: readonly number[]): string =>
  [head, ...numbers.map(textOf), end(numbers.length), ''].join('\n');

/** What the API has, and where its answers are cut: so many bytes, each once. */
let numbers: readonly number[];
let cuts: number[];
let asked: URL[];
let server: Server;
let url: string;
let folder: string;
let file: string;
/** Longer than a block of the file. */
let padding: string;
/** Where the next answer stands still. */
let stalls: number | undefined;
beforeEach(async () => {
  [numbers, cuts, asked, padding, stalls] = [[1, 2, 3], [], [], '', undefined];
  folder = await mkdtemp(join(tmpdir(), 'outbound-export-'));
  file = join(folder, 'products.ndjson');
  server = createServer((request, response) => {
    const target = new URL(request.url ?? '', url);
    asked.push(target);
    const after = target.searchParams.get('after') ?? '';
    const items = numbers
      .filter((n) => idOf(n) > after)
      .map((n) => `${textOf(n).slice(0, -1)}${padding}}`);
    const body = [head, ...items, '', end(items.length), ''].join('\n');
    const cut = cuts.shift();
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    if (stalls !== undefined) {
      response.write(body.slice(0, stalls));
      stalls = undefined;
    } else if (cut === undefined) response.end(body);
    else response.write(body.slice(0, cut), () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const run = (args: readonly string[] = [], more: Parameters<typeof outbound>[1] = {}) =>
  outbound(['export', 'products', ...args], {
    env: { OUTBOUND_API_URL: url },
    ...more,
  });
const left = () =>
  [`${file}.part`, `${file}.export-state.json`, `${file}.export-state.json.lock`].filter(
    existsSync,
  );

describe('an export to standard output', () => {
  test('is what the API wrote, to the digit, and says beside it from where the topic goes on', async () => {
    const { code, out, err } = await run();
    expect([code, out]).toEqual([0, whole(numbers)]);
    expect(err).toContain(`3 exported`);
    expect(err).toContain(`position ${position}, of ${at}`);
    expect(err).toContain(
      'outbound tail catalog.product-change --offset @2026-11-27T15:03:05.123Z',
    );
  });

  test('is packed if that is said', async () => {
    const { out } = await run(['--gzip']);
    expect(gunzipSync(Buffer.from(out, 'latin1')).toString()).toBe(whole(numbers));
  });

  test('whose reader goes is not done, though other pipes are', async () => {
    const writeBytes = (_: Uint8Array, taken: (error?: Error) => void) =>
      taken(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    const { code, err } = await run([], { writeBytes });
    expect(code).toBe(1);
    expect(err).toContain('not whole');
  });

  test('that breaks off each time is no success, and is no whole text', async () => {
    cuts = Array<number>(20).fill(10);
    const { code, err } = await run();
    expect(code).toBe(5);
    expect(err).toContain('API_UNAVAILABLE');
  });

  test('has none where there is none, and is whole all the same', async () => {
    numbers = [];
    expect((await run()).out).toBe(whole([]));
  });

  test('asks what was said, and refuses what it cannot ask', async () => {
    await run(['-q', 'status=ACTIVE', '-q', 'status=DRAFT', '-q', 'attribute=a=b:c']);
    expect(asked[0]?.search).toBe('?status=ACTIVE&status=DRAFT&attribute=a%3Db%3Ac');
    for (const args of [['-q', 'status'], ['-q', 'after=7'], ['--resume'], ['--patience', '0']])
      expect((await run(args)).code, args.join(' ')).toBe(2);
    expect(asked).toHaveLength(1);
  });
});

test('a connection that is cut anywhere is gone on with, and nothing is there twice or missing', async () => {
  const length = whole(numbers).length;
  for (let cut = 0; cut < length; cut += 16) {
    cuts = [cut];
    expect((await run()).out, `cut at ${cut}`).toBe(whole(numbers));
  }
});

describe('an export into a file', () => {
  test('appears when it is whole, in the place of the one before', async () => {
    await writeFile(file, 'old');
    const { code, json } = await run(['-o', file, '--json']);
    expect(code).toBe(0);
    expect(await readFile(file, 'utf8')).toBe(whole(numbers));
    expect(json()).toEqual([
      {
        ...{ count: 3, position, at, file, bytes: whole(numbers).length },
        seconds: expect.any(Number) as number,
        follow: 'outbound tail catalog.product-change --offset @2026-11-27T15:03:05.123Z',
      },
    ]);
    expect(left()).toEqual([]);
  });

  test('is packed by its name', async () => {
    await run(['-o', `${file}.gz`]);
    expect(gunzipSync(await readFile(`${file}.gz`)).toString()).toBe(whole(numbers));
  });

  test.each([false, true])('that broke off goes on, packed or not: %s', async (isGzip) => {
    const args = ['-o', file, ...(isGzip ? ['--gzip'] : []), '--patience', '1'];
    padding = `,"p":"${'x'.repeat(blockChars)}"`;
    const lengths = [head.length + 1 + textOf(1).length + padding.length + 1 + 100];
    cuts = [...lengths, ...Array<number>(20).fill(10)];
    await writeFile(file, 'old');
    const broken = await run(args);
    expect([broken.code, await readFile(file, 'utf8')]).toEqual([5, 'old']);
    expect(broken.err).toContain('stopped after 1; --resume goes on from there');
    // What was written behind the state comes again.
    await writeFile(`${file}.part`, 'behind', { flag: 'a' });
    [cuts, asked] = [[], []];
    const { code, err } = await run([...args, '--resume']);
    expect([code, err]).toEqual([0, '']);
    expect(asked.map(({ searchParams }) => searchParams.get('after'))).toEqual([idOf(1)]);
    const bytes = await readFile(file);
    const text = (isGzip ? gunzipSync(bytes) : bytes).toString();
    expect(text.replaceAll(padding, '')).toBe(whole(numbers));
    expect(left()).toEqual([]);
  });

  test('goes on with the same only, and only where something is there', async () => {
    const resume = async (...args: string[]) =>
      (await run(['-o', file, '--resume', '--patience', '1', ...args])).err;
    expect(await resume()).toContain('EXPORT_NOTHING_TO_RESUME');
    cuts = [head.length + 1 + textOf(1).length + 1, ...Array<number>(20).fill(1)];
    expect((await run(['-o', file])).err).toContain('stopped after 1; --resume goes on');
    cuts = [];
    for (const args of [['-q', 'status=ACTIVE'], ['--gzip'], ['--api-url', `${url}/v2`]])
      expect(await resume(...args)).toContain('EXPORT_CHANGED');
    const [part, state] = [`${file}.part`, `${file}.export-state.json`];
    const [bytes, text] = [await readFile(part), await readFile(state, 'utf8')];
    await writeFile(part, bytes.subarray(1));
    expect(await resume()).toContain('EXPORT_PART_GONE');
    await writeFile(part, bytes);
    await writeFile(state, text.slice(1));
    expect(await resume()).toContain('EXPORT_STATE_BROKEN');
    await writeFile(state, text);
    await writeFile(`${state}.lock`, JSON.stringify({ pid: process.ppid, host: hostname() }));
    expect(await resume()).toContain(`EXPORT_BUSY: process ${process.ppid}`);
    await rm(`${state}.lock`);
    expect(await resume()).toBe('');
    expect(await readFile(file, 'utf8')).toBe(whole(numbers));
  });

  test('is stopped by Ctrl-C with 130, and goes on', async () => {
    const stop = new AbortController();
    padding = `,"p":"${'x'.repeat(blockChars)}"`;
    stalls = head.length + 1 + textOf(1).length + padding.length + 100;
    const stopped = run(['-o', file], { signal: stop.signal });
    await eventually(async () => (await stat(`${file}.part`)).size > blockChars);
    stop.abort();
    const { code, err } = await stopped;
    expect([code, existsSync(file)]).toEqual([130, false]);
    expect(err).toContain('stopped after 1; --resume goes on from there');
    expect((await run(['-o', file, '--resume'])).code).toBe(0);
    expect((await readFile(file, 'utf8')).replaceAll(padding, '')).toBe(whole(numbers));
  });

  test('of which nothing came leaves nothing', async () => {
    cuts = [head.length - 3, ...Array<number>(20).fill(1)];
    expect((await run(['-o', file, '--patience', '1'])).code).toBe(5);
    expect(left()).toEqual([]);
  });

  test('into what is no file is refused', async () => {
    const { code, err } = await run(['-o', '/dev/full']);
    expect(code).toBe(2);
    expect(err).toContain('EXPORT_NO_FILE');
    expect((await stat('/dev/full')).isCharacterDevice()).toBe(true);
  });
});

test('a packed file of several blocks is one text', () => {
  expect(gunzipSync(Buffer.concat([gzipSync('a\n'), gzipSync('b\n')])).toString()).toBe('a\nb\n');
});
