import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { outbound } from '../test-support/outbound.ts';

let folder: string;
let file: string;
const seen: (string | undefined)[] = [];
const api = createServer((request, response) => {
  const { authorization } = request.headers;
  seen.push(authorization);
  request.resume().on('end', () => {
    const body =
      authorization === 'Bearer good.token'
        ? { items: [{ index: 0, status: 201, id: 'x' }] }
        : { type: '/problems/unauthenticated', title: 'A valid access token is required' };
    response.writeHead('items' in body ? 207 : 401).end(JSON.stringify(body));
  });
});
let apiUrl: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-import-token-'));
  file = join(folder, 'products.csv');
  await writeFile(file, 'sku,name\nA,Ring\n');
  await writeFile(join(folder, 'token'), 'good.token\n');
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
});
afterAll(async () => {
  api.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => seen.splice(0));

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  outbound(['import', file, '--into', 'products', '--api-url', apiUrl, ...args], { env });

test('an import shows the token of the environment, or of the file that an option names', async () => {
  expect((await run([], { OUTBOUND_API_TOKEN: 'good.token' })).code).toBe(0);
  const option = ['--api-token-file', join(folder, 'token')];
  expect((await run(option, { OUTBOUND_API_TOKEN: 'another' })).code).toBe(0);
  expect(seen).toEqual(['Bearer good.token', 'Bearer good.token']);
});

test('an import that is not admitted says where its token comes from, and not what it is', async () => {
  for (const env of [{}, { OUTBOUND_API_TOKEN: 'bad.token' }]) {
    const { code, err } = await run([], env);
    expect(code).toBe(1);
    expect(err).toContain('A valid access token is required');
    expect(err).toContain('OUTBOUND_API_TOKEN or --api-token-file');
    expect(err).not.toContain('bad.token');
  }
  const { code, err } = await run([], { OUTBOUND_API_TOKEN: 'two words' });
  expect([code, err]).toEqual([2, expect.stringContaining('OUTBOUND_API_TOKEN')]);
  expect(err).not.toContain('two words');
});
