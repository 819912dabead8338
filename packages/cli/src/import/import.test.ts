import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { outbound } from '../test-support/outbound.ts';

interface Call {
  readonly path: string;
  readonly key: string;
  readonly skus: readonly string[];
}
interface FakeAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An API that answers each call with what `answer` says, or creates all. */
class FakeApi {
  readonly calls: Call[] = [];
  answer: (call: Call, number: number) => FakeAnswer | undefined = () => undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      text(request)
        .then((body) => {
          const { items } = JSON.parse(body) as { items: { sku: string }[] };
          const call = {
            path: request.url ?? '',
            key: String(request.headers['idempotency-key']),
            skus: items.map(({ sku }) => sku),
          };
          this.calls.push(call);
          const said = this.answer(call, this.calls.length) ?? {
            status: 207,
            body: { items: items.map((_, index) => ({ index, status: 201, id: 'x' })) },
          };
          response.writeHead(said.status, said.headers).end(JSON.stringify(said.body ?? {}));
        })
        .catch(() => response.destroy());
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let folder: string;
let file: string;
let api: FakeApi;
let apiUrl: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-import-'));
  file = join(folder, 'products.csv');
  const rows = Array.from({ length: 10 }, (_, index) => `SKU-${index},Ring ${index}\n`);
  await writeFile(file, `sku,name\n${rows.join('')}`);
  api = new FakeApi();
  apiUrl = await api.start();
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (args: readonly string[] = [], signal?: AbortSignal, url = apiUrl) =>
  outbound(['import', file, '--into', 'products', '--batch', '4', '--parallel', '1', ...args], {
    env: { OUTBOUND_API_URL: url },
    ...(signal && { signal }),
  });
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe('an import', () => {
  test('sends every row once, in batches of their own key, and leaves nothing behind', async () => {
    const { code, out, err } = await run();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^10 rows: 10 created, 0 refused \(/);
    expect(api.calls.map(({ path, skus }) => [path, skus.length])).toEqual([
      ['/products/batch', 4],
      ['/products/batch', 4],
      ['/products/batch', 2],
    ]);
    expect(new Set(api.calls.map(({ key }) => key)).size).toBe(3);
    expect(await exists(`${file}.import-state.json`)).toBe(false);
    expect(await exists(`${file}.errors.ndjson`)).toBe(false);
  });

  test('repeated has the same keys', async () => {
    await run();
    await run();
    const keys = api.calls.map(({ key }) => key);
    expect(keys.slice(3)).toEqual(keys.slice(0, 3));
  });

  test('sends a batch again, under its key, while the API asks for patience', async () => {
    api.answer = (_, number) =>
      number === 1 ? { status: 503, headers: { 'retry-after': '0' } } : undefined;
    const { code, out, err } = await run();
    expect(code).toBe(0);
    expect(out).toContain('10 created, 0 refused');
    expect(out).toContain('1 retries');
    expect(err).toMatch(/the API answers 503: again in/);
    expect(api.calls[1]).toEqual(api.calls[0]);
  });

  test('sends a batch again if only some of its rows could not be settled', async () => {
    api.answer = ({ skus }, number) =>
      number === 1
        ? {
            status: 207,
            body: {
              items: skus.map((_, index) => ({ index, status: index === 2 ? 503 : 201 })),
            },
          }
        : undefined;
    const { code, out } = await run();
    expect({ code, count: api.calls.length }).toEqual({ code: 0, count: 4 });
    expect(out).toContain('10 rows: 10 created');
    expect(api.calls[1]).toEqual(api.calls[0]);
  });

  test('lists refused rows with their lines, and ends with 3', async () => {
    api.answer = ({ skus }, number) =>
      number === 2
        ? {
            status: 207,
            body: {
              items: skus.map((_, index) =>
                index === 1
                  ? {
                      index,
                      status: 409,
                      problem: {
                        type: '/problems/conflict',
                        title: 'It conflicts',
                        detail: 'sku is taken',
                      },
                    }
                  : { index, status: 201 },
              ),
            },
          }
        : undefined;
    await writeFile(file, `${await readFile(file, 'utf8')}too,many,cells\n`);
    const { code, json } = await run(['--json']);
    expect(code).toBe(3);
    const errors = `${file}.errors.ndjson`;
    expect(json()).toMatchObject([{ rows: 11, created: 9, refused: 2, retries: 0, errors }]);
    const lines = (await readFile(errors, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { line: 7, status: 409, type: '/problems/conflict', title: 'It conflicts' },
      { line: 12, status: 400, type: '/problems/malformed-json' },
    ]);
  });

  test('that was interrupted goes on where it was, and its errors are listed once', async () => {
    const stop = new AbortController();
    const conflict = (call: Call) => ({
      status: 207,
      body: { items: call.skus.map((_, index) => ({ index, status: index === 0 ? 409 : 201 })) },
    });
    api.answer = (call, number) => {
      if (number === 3) stop.abort();
      return conflict(call);
    };
    const first = await run([], stop.signal);
    expect(first).toMatchObject({ code: 130, out: '' });
    expect(first.err).toContain('stopped after line 9; --resume goes on from there');
    // What a kill between the error file and the state would leave.
    const errors = `${file}.errors.ndjson`;
    await writeFile(errors, `${await readFile(errors, 'utf8')}{"line":10}\n`);
    api.answer = conflict;
    const second = await run(['--resume', '--json']);
    expect(second.code).toBe(3);
    expect(second.json()).toMatchObject([{ rows: 10, created: 7, refused: 3 }]);
    expect(api.calls.map(({ skus }) => skus[0])).toEqual(['SKU-0', 'SKU-4', 'SKU-8', 'SKU-8']);
    const lines = (await readFile(errors, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual([2, 6, 10]);
  });

  test('is not resumed with another file, other options, or nothing to resume', async () => {
    expect(await run(['--resume'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('IMPORT_NOTHING_TO_RESUME') as string,
    });
    const stop = new AbortController();
    api.answer = (_, number) => {
      if (number === 2) stop.abort();
      return undefined;
    };
    await run([], stop.signal);
    expect((await run(['--resume', '--set', 'brand=X'])).err).toContain('IMPORT_CHANGED');
    const content = await readFile(file, 'utf8');
    await writeFile(file, `${content}SKU-10,One more\n`);
    expect((await run(['--resume'])).err).toContain('the file is another');
    await writeFile(file, content);
    api.answer = () => undefined;
    expect(await run()).toMatchObject({
      code: 0,
      err: expect.stringContaining('stopped after line 5; this one starts over') as string,
    });
  });

  test('is resumed at the API where it began, however that is written, and at no other', async () => {
    const stop = new AbortController();
    api.answer = (_, number) => {
      if (number === 2) stop.abort();
      return undefined;
    };
    await run([], stop.signal);
    const other = new FakeApi();
    const otherUrl = await other.start();
    const { code, err } = await run(['--resume'], undefined, otherUrl);
    await other.close();
    expect({ code, calls: other.calls }).toEqual({ code: 2, calls: [] });
    expect(err).toContain(
      `IMPORT_CHANGED: this import began at the API ${apiUrl} and got to line 5; at ${otherUrl} those rows would be missing: say --api-url ${apiUrl}, or start without --resume`,
    );
    api.answer = () => undefined;
    const again = `${apiUrl.replace('http:', 'HTTP:')}///`;
    expect(await run(['--resume'], undefined, again)).toMatchObject({ code: 0, err: '' });
    expect(api.calls.map(({ path }) => path)).toEqual(Array(4).fill('/products/batch'));
  });

  test('of an API that stays away ends with 5, and says how to go on', async () => {
    await api.close();
    const { code, err } = await run(['--patience', '1']);
    expect(code).toBe(5);
    expect(err).toMatch(/API_UNAVAILABLE: the API at .* gives no answer \(ECONNREFUSED\) for 1 s/);
  });

  test('of something that is no catalog API is an error at once', async () => {
    api.answer = () => ({ status: 404, body: { title: 'There is nothing at this path' } });
    expect(await run()).toMatchObject({
      code: 1,
      err: expect.stringMatching(/API_REFUSED: .* 404: There is nothing at this path/) as string,
    });
    expect(api.calls).toHaveLength(1);
  });

  test('too large for a proxy on the way goes in halves, each under a key of its own', async () => {
    api.answer = ({ skus }) => (skus.length > 2 ? { status: 413 } : undefined);
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toContain('10 rows: 10 created');
    expect(api.calls.map(({ skus }) => skus.length)).toEqual([4, 2, 2, 4, 2, 2, 2]);
    expect(new Set(api.calls.map(({ key }) => key)).size).toBe(7);
    api.answer = ({ skus }) => (skus.includes('SKU-5') ? { status: 413 } : undefined);
    const { json } = await run(['--json']);
    expect(json()).toMatchObject([{ rows: 10, created: 9, refused: 1 }]);
  });

  test('that was done before says so', async () => {
    api.answer = ({ skus }, number) => ({
      status: 207,
      headers: number % 3 === 1 ? { 'idempotent-replayed': '0-1,3-3' } : {},
      body: { items: skus.map((_, index) => ({ index, status: index === 3 ? 409 : 201 })) },
    });
    const { json } = await run(['--json']);
    expect(json()).toMatchObject([{ rows: 10, created: 6, created_before: 2, refused: 2 }]);
    expect((await run()).out).toContain('6 created, 2 were created before, 2 refused');
  });

  test.each([
    ['is another file', 'my notes\n', 'is no list of refused rows'],
    ['is the input itself', undefined, 'is no list of refused rows'],
  ])('leaves an error file alone that %s', async (_, content, message) => {
    const path = content === undefined ? file : join(folder, 'notes');
    if (content !== undefined) await writeFile(path, content);
    const before = await readFile(path, 'utf8');
    const { code, err } = await run(['--errors', path]);
    expect(code).toBe(2);
    expect(err).toContain('IMPORT_ERRORS_FOREIGN');
    expect(err).toContain(message);
    expect(await readFile(path, 'utf8')).toBe(before);
    expect((await run(['--errors', '/dev/null'])).err).toContain('is no regular file');
  });

  test('that stopped is not disturbed by a dry run, and says so when its list of errors is gone', async () => {
    const stop = new AbortController();
    api.answer = ({ skus }, number) => {
      if (number === 2) stop.abort();
      return {
        status: 207,
        body: { items: skus.map((_, index) => ({ index, status: index === 0 ? 409 : 201 })) },
      };
    };
    await run([], stop.signal);
    const errors = `${file}.errors.ndjson`;
    const before = await readFile(errors, 'utf8');
    await run(['--dry-run']);
    expect((await run(['--dry-run', '--errors', errors])).err).toContain('IMPORT_ERRORS_KEPT');
    expect(await readFile(errors, 'utf8')).toBe(before);
    await rm(errors);
    const { code, err } = await run(['--resume']);
    expect(code).toBe(2);
    expect(err).toMatch(/IMPORT_ERRORS_GONE: .* restore it, or start without --resume/);
  });

  test('shows progress on a terminal, over one line', async () => {
    const { err } = await outbound(['import', file, '--into', 'products', '--api-url', apiUrl], {
      isTTY: true,
    });
    expect(err.endsWith('10 rows · 10 created · 0 refused · 100 %\r\u001b[K')).toBe(true);
  });
});

test('a member of NDJSON that becomes nothing is a refused row, and its name is told', async () => {
  const ndjson = join(folder, 'products.ndjson');
  await writeFile(ndjson, '{"sku":"A","title":"R","id":7}\n{"sku":"B","title":"S"}\n');
  const importIt = (...more: string[]) =>
    outbound(
      ['import', ndjson, '--into', 'products', '--map', 'name=title', '--dry-run', ...more],
      { env: {} },
    );
  expect(await importIt()).toMatchObject({
    code: 3,
    out: expect.stringContaining('1 valid, 1 refused') as string,
  });
  expect(await readFile(`${ndjson}.dry-run.errors.ndjson`, 'utf8')).toMatch(
    /"line":1.*no field is called id: say --map FIELD=id, or --ignore-others/,
  );
  expect((await importIt('--ignore-others')).code).toBe(0);
});

test('a file is locked while it is imported, however that ends, and a second import of it is refused', async () => {
  const lock = `${file}.import-state.json.lock`;
  const seen: boolean[] = [];
  api.answer = () => {
    seen.push(existsSync(lock));
    return seen.length === 2 ? { status: 400 } : undefined;
  };
  expect((await run()).code).toBe(1);
  expect((await run(['--resume'])).code).toBe(0);
  expect(seen).toEqual([true, true, true, true]);
  expect(existsSync(lock)).toBe(false);
  await writeFile(lock, '');
  expect(await run()).toMatchObject({
    code: 6,
    err: expect.stringContaining('IMPORT_BUSY') as string,
  });
  expect(seen).toHaveLength(4);
  expect(existsSync(lock)).toBe(true);
  // It writes nothing that the other one reads.
  expect((await run(['--dry-run'])).code).toBe(0);
});

test('a dry run judges rows by the schema and sends nothing', async () => {
  await writeFile(
    file,
    'sku,name,price.amount,price.currency\nA 1,Ring,1,EUR\nB,Ring,1,EUR\nC,Ring,1e3,EUR\n',
  );
  const { code, json } = await run(['--dry-run', '--json']);
  expect(code).toBe(3);
  expect(json()).toMatchObject([{ rows: 3, valid: 1, refused: 2 }]);
  const errors = await readFile(`${file}.dry-run.errors.ndjson`, 'utf8');
  expect(errors).toMatch(/"line":2.*sku: must be.*\n.*"line":4.*price\.amount: must be a decimal/);
  expect(api.calls).toEqual([]);
});

test.each([
  [['--into', 'orders'], 'Allowed choices are products, categories'],
  [['--batch', '1001'], 'expected a whole number from 1 to 1000'],
  [['--rate', '0'], 'expected a whole number'],
  [['--map', 'colour=name'], 'there is no field colour'],
  [['--api-url', 'http://someone:secret@catalog'], 'expected no user and no password in it'],
])('a wrong option %j is refused before anything is sent', async (args, message) => {
  const { code, err } = await run(args);
  expect(code).toBe(2);
  expect(err).toContain(message);
  expect(err).not.toContain('secret');
  expect(api.calls).toEqual([]);
});
