import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startPostgres } from '@outbound/local-stack';
import pg from 'pg';
import { migrateDatabase } from '../services/catalog-api/src/migrations/migrate-database.ts';
import { ServiceProcess } from '../test/support/service-process.ts';
import { readProcessUsage } from './process-usage.ts';

/**
 * `npm run bench:api-bounds -- [--heap MB]`: every route with its largest legal input, slow readers and slow writers, against one API in a process of its own. Prints, for each, what was
 * answered, the highest memory so far, the longest standstill of the event loop, and how long an honest caller beside it waited.
 */
const { values } = parseArgs({ options: { heap: { type: 'string', default: '256' } } });
const headOf = (line: string, more = '') => `${line} HTTP/1.1\r\nhost: bench\r\n${more}\r\n`;

class Connection {
  readonly socket: Socket;
  #text = '';
  private constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => undefined);
  }
  static async open(port: number, { reads = true } = {}): Promise<Connection> {
    const connection = new Connection(port);
    const { socket } = connection;
    if (reads) socket.on('data', (chunk: Buffer) => (connection.#text += chunk.toString('latin1')));
    else socket.pause();
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
    return connection;
  }
  /** Statuses of all answers so far. */
  get statuses(): readonly string[] {
    return [...this.#text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status = '']) => status);
  }
}

const postgres = await startPostgres();
const databaseUrl = await postgres.createDatabase('bounds');
await migrateDatabase({
  databaseUrl,
  directory: new URL('../migrations/', import.meta.url).pathname,
  passwords: { outbound_api: 'api' },
});
const admin = new pg.Client({ connectionString: databaseUrl });
await admin.connect();
await admin.query(`
  insert into product (id, sku, name, attributes, status, version)
  select format('019376e4-8c3a-7c7e-a1b2-%s', lpad(to_hex(i), 12, '0'))::uuid, 'LARGE-' || i, 'N',
    json_build_object('a', (select string_agg(md5(i || '-' || part), '') from generate_series(1, 2000) part)), 'ACTIVE', 1
  from generate_series(1, 1000) i`);
const api = new ServiceProcess(
  'services/catalog-api/src/main.ts',
  {
    CATALOG_API_DATABASE_URL: Object.assign(new URL(databaseUrl), {
      username: 'outbound_api',
      password: 'api',
    }).href,
    CATALOG_API_AUTH: 'off',
    CATALOG_API_PORT: '0',
    CATALOG_API_ADMIN_PORT: '0',
    CATALOG_API_LOG_LEVEL: 'info',
    HOME: process.env['HOME'] ?? '',
  },
  [
    '--import',
    'tsx',
    '--import',
    new URL('loop-probe.ts', import.meta.url).href,
    `--max-old-space-size=${values.heap}`,
  ],
);
const port = Number((await api.log('listening', () => true, 120_000))['port']);
const base = `http://127.0.0.1:${port}`;

const count = (statuses: readonly string[]): string =>
  [...new Set(statuses)]
    .sort()
    .map((status) => `${status}×${statuses.filter((each) => each === status).length}`)
    .join(' ');

async function request(method: string, path: string, body?: string, headers = {}): Promise<string> {
  try {
    const answer = await fetch(`${base}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: { 'content-type': 'application/json', ...headers },
    });
    await answer.arrayBuffer();
    return String(answer.status);
  } catch {
    return 'none';
  }
}

/** Runs a case with an honest caller beside it, who reads one product twenty times a second. */
async function measure(name: string, work: () => Promise<readonly string[]>): Promise<void> {
  if (!api.isRunning) {
    console.log(`${name.padEnd(44)} the process had ended: ${api.stderr.slice(-1).join()}`);
    return;
  }
  const from = api.logs.length;
  let isOver = false;
  const waits: number[] = [];
  const honest = (async () => {
    while (!isOver) {
      const began = performance.now();
      const status = await request('GET', '/products/019376e4-8c3a-7c7e-a1b2-000000000001');
      waits.push(status === '200' ? performance.now() - began : Infinity);
      await delay(50);
    }
  })();
  const statuses = await work();
  await delay(1_100);
  isOver = true;
  await honest;
  const loops = api.logs.slice(from).filter(({ message }) => message === 'loop');
  const worst = loops.sort((a, b) => Number(b['cpuMs']) - Number(a['cpuMs']))[0];
  waits.sort((a, b) => a - b);
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? NaN;
  const memory = api.isRunning
    ? `${Math.round((await readProcessUsage(api.pid)).peakResidentBytes / 2 ** 20)} MiB`
    : 'ENDED';
  console.log(
    [
      name.padEnd(44),
      count(statuses).padEnd(28),
      memory.padStart(8),
      `${Number(worst?.['cpuMs'] ?? NaN).toFixed(0)} ms (wall ${Number(worst?.['wallMs'] ?? NaN).toFixed(0)})`.padStart(
        22,
      ),
      `${p99.toFixed(0)} ms`.padStart(10),
    ].join('  '),
  );
}

const page = '/products?limit=1000';
const times = <Value>(n: number, one: (index: number) => Promise<Value>): Promise<Value[]> =>
  Promise.all(Array.from({ length: n }, (_, index) => one(index)));
const keysOf = (n: number) => Array.from({ length: n }, (_, key) => `"k${key}":1.50`).join(',');
let run = 0;
const batchOf = (n: number, attributes: string) => {
  run += 1;
  const items = Array.from(
    { length: n },
    (_, item) => `{"sku":"B-${run}-${item}","name":"N","attributes":{${attributes}}}`,
  );
  return `{"items":[${items.join(',')}]}`;
};

console.log(`heap ${values.heap} MB; largest legal input, slow readers, slow writers
${'case'.padEnd(44)}  ${'answers'.padEnd(28)}    memory   longest block (cpu)  honest p99`);
await measure('nothing', async () => [await request('GET', '/products?limit=1')]);
await measure('a page of 1,000 products of 64 KB', async () => [await request('GET', page)]);
await measure('200 connections, a page each', () => times(200, () => request('GET', page)));
await measure('30 readers of 20 pages who read nothing', async () => {
  const readers = await times(30, async () => {
    const reader = await Connection.open(port, { reads: false });
    reader.socket.write(headOf(`GET ${page}`).repeat(20));
    return reader;
  });
  await delay(8_000);
  for (const { socket } of readers) socket.destroy();
  return [await request('GET', page)];
});
await measure('a batch of 1,000 items of 8 KB of text', async () => [
  await request('POST', '/products/batch', batchOf(1_000, `"a":"${'x'.repeat(8_000)}"`)),
]);
await measure('a batch of 100 items of 64 KB of text', async () => [
  await request('POST', '/products/batch', batchOf(100, `"a":"${'x'.repeat(64_000)}"`)),
]);
await measure('a batch of 700 items of 900 keys', async () => [
  await request('POST', '/products/batch', batchOf(700, keysOf(900))),
]);
await measure('a batch of 1,000 items of 50 wrong fields', async () => [
  await request(
    'POST',
    '/products/batch',
    `{"items":[${Array<string>(1_000)
      .fill(`{${keysOf(50)}}`)
      .join(',')}]}`,
  ),
]);
await measure('30 batches of 700 items of 900 keys at once', () =>
  times(30, () => request('POST', '/products/batch', batchOf(700, keysOf(900)))),
);
await measure('200 writers of 8 MB who stop before the end', async () => {
  const head = headOf(
    'POST /products/batch',
    `content-type: application/json\r\ncontent-length: ${8 * 2 ** 20}\r\n`,
  );
  const body = ' '.repeat(4 * 2 ** 20);
  const writers = await times(200, async () => {
    const writer = await Connection.open(port);
    writer.socket.write(head);
    writer.socket.write(body);
    return writer;
  });
  await delay(8_000);
  for (const { socket } of writers) socket.destroy();
  return writers.flatMap(({ statuses }) => statuses);
});
const id = '/products/019376e4-8c3a-7c7e-a1b2-000000000002';
await measure('a PUT of 4,000 keys', async () => [
  await request('PUT', id, `{"sku":"P","name":"N","attributes":{${keysOf(4_000)}}}`, {
    'if-match': '*',
  }),
]);
await measure('a PATCH of 900 keys', async () => [
  await request('PATCH', id, `{"attributes":{${keysOf(900)}}}`, {
    'if-match': '*',
    'content-type': 'application/merge-patch+json',
  }),
]);
await measure('a POST of 250 KB of brackets', async () => [
  await request('POST', '/products', '['.repeat(250_000)),
]);
await measure('a POST of 250 KB of one string', async () => [
  await request('POST', '/products', `{"sku":"S","name":"${'x'.repeat(250_000)}"}`),
]);
await measure('15 KB of entity tags', async () => [
  await request('GET', id, undefined, { 'if-none-match': '"a",'.repeat(3_800) }),
]);
await measure('8 KB of query', async () => [
  await request('GET', `/products?${'a=1&'.repeat(2_000)}`),
]);
await measure('100 times the OpenAPI document, at once', () =>
  times(100, () => request('GET', '/openapi.json')),
);
await measure('200 connections that send a byte a second', async () => {
  const idle = await times(200, () => Connection.open(port));
  for (let second = 0; second < 5; second += 1) {
    for (const { socket } of idle) socket.write('G');
    await delay(1_000);
  }
  for (const { socket } of idle) socket.destroy();
  return idle.flatMap(({ statuses }) => statuses);
});
await api[Symbol.asyncDispose]();
await admin.end();
await postgres.close();
