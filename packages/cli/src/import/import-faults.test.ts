import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { outbound } from '../test-support/outbound.ts';

let folder: string;
let server: Server;
let url: string;
/** The API answers 207 with this for so many rows. */
let answer: (count: number) => string;
const allCreated = (count: number) =>
  JSON.stringify({ items: Array.from({ length: count }, (_, index) => ({ index, status: 201 })) });
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-import-'));
  answer = allCreated;
  server = createServer((request, response) => {
    text(request)
      .then((body) => {
        const { items } = JSON.parse(body) as { items: unknown[] };
        response.writeHead(207).end(answer(items.length));
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

async function importing(name: string, content: string | Buffer) {
  const file = join(folder, name);
  await writeFile(file, content);
  const argv = ['import', file, '--into', 'products', '--batch', '4', '--parallel', '1'];
  const ended = await outbound(argv, { env: { OUTBOUND_API_URL: url } });
  return { file, ...ended };
}
const rows = (count: number, cell: (row: number) => string = String) =>
  `sku,name\n${Array.from({ length: count }, (_, row) => `S-${row},${cell(row)}\n`).join('')}`;

test('a packed file that is cut off is named, and --resume is not offered', async () => {
  const whole = gzipSync(rows(1000, () => randomBytes(20).toString('hex')));
  const { file, code, err } = await importing('p.csv.gz', whole.subarray(0, whole.length - 5_000));
  expect(code).toBe(2);
  expect(err).toContain(
    `IMPORT_FILE_UNREADABLE: ${file} cannot be unpacked (unexpected end of file)`,
  );
  expect(err).toMatch(/stopped after line \d+; once the file is mended it is another one/);
  expect(err).not.toContain('goes on');
});

test('a file that is no gzip, whatever its name says, is named', async () => {
  const { file, code, err } = await importing('p.csv.gz', rows(3));
  expect(code).toBe(2);
  expect(err).toContain(`${file} cannot be unpacked (incorrect header check)`);
});

test('a CSV that breaks in the middle does not offer --resume', async () => {
  const { code, err } = await importing(
    'p.csv',
    rows(9, (row) => (row === 7 ? '"open' : 'x')),
  );
  expect(code).toBe(2);
  expect(err).toContain('IMPORT_CSV_BROKEN');
  expect(err).toContain('start without --resume');
});

test.each([
  ['a page', () => '<html>'],
  ['an object of something else', () => '{}'],
  ['fewer results than rows', (count: number) => allCreated(count - 1)],
  ['one result twice', (count: number) => allCreated(count).replace('"index":1', '"index":0')],
  ['a result of no row', (count: number) => allCreated(count).replace('"index":1', '"index":9')],
])('an answer that is %s is no answer: nothing counts as created', async (_, said) => {
  answer = said;
  const { code, err } = await importing('p.csv', rows(4));
  expect(code).toBe(1);
  expect(err).toContain(
    'is answered 207: it does not say what became of each row: of 4 (is OUTBOUND_API_URL the catalog API?)',
  );
});
