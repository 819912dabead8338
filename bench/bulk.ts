import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { loadavg } from 'node:os';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { startPostgres } from '@outbound/local-stack';
import pg from 'pg';
import { diamondCategory, diamondInput } from '../demo/diamonds.ts';
import { inParallel } from '../demo/in-parallel.ts';
import { dollarsOf } from '../demo/prices.ts';
import { readRows } from '../demo/rows.ts';
import { migrateDatabase } from '../services/catalog-api/src/migrations/migrate-database.ts';
import { ServiceProcess } from '../test/support/service-process.ts';
import { readProcessUsage } from './process-usage.ts';
import { exportStream, importStream } from './stream-client.ts';

/**
 * `npm run bench:bulk -- [--items N] [--only TEXT] [--prof DIR]`: many changes in batches beside one request each, through one API in a process of its own: creates, upserts by sku, a price run over as many products as there
 * are price observations, and the observations themselves on their four products; and the same as streams, in and out. Prints for each the rate, and the processor time that one item takes of the API and of Postgres, which says more than the rate
 * on a machine that others use.
 */
const { values } = parseArgs({
  options: {
    items: { type: 'string', default: '13168' },
    prof: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
const itemsPerBatch = 1_000;
const count = Number(values.items);

const postgres = await startPostgres();
const databaseUrl = await postgres.createDatabase('bulk');
await migrateDatabase({
  databaseUrl,
  directory: new URL('../migrations/', import.meta.url).pathname,
  passwords: { outbound_api: 'api' },
});
const admin = new pg.Client({ connectionString: databaseUrl });
await admin.connect();
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
    CATALOG_API_STOP_GRACE_MS: '0',
    HOME: process.env['HOME'] ?? '',
  },
  [
    '--import',
    'tsx',
    ...(values.prof === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.prof}`]),
  ],
);
const port = Number((await api.log('listening', () => true, 120_000))['port']);
const agent = new Agent({ keepAlive: true });

interface Answer {
  readonly status: number;
  readonly body: string;
}

function send(method: string, path: string, body: string, headers = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = method === 'PATCH' && !path.endsWith('/batch') ? 'merge-patch+json' : 'json';
    const call = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: {
          'content-type': `application/${type}`,
          'content-length': Buffer.byteLength(body),
          ...headers,
        },
      },
      (response) =>
        void text(response).then(
          (answer) => resolve({ status: response.statusCode ?? 0, body: answer }),
          reject,
        ),
    );
    call.on('error', reject);
    call.end(body);
  });
}

/** Processor time of all processes that the server has or had, seconds: what has ended is counted by its parent. Source: proc(5). */
async function postgresSeconds(): Promise<number> {
  let ticks = 0;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = await readFile(`/proc/${entry}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const [, parent] = fields;
      const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
      if (Number(entry) === postgres.pid) ticks += user + system + endedUser + endedSystem;
      else if (parent === postgres.pid) ticks += user + system;
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks / 100;
}

async function outboxRows(): Promise<number> {
  const { rows } = await admin.query<{ count: number }>(
    'select count(*)::int as count from outbox',
  );
  return rows[0]?.count ?? 0;
}

/** Runs one case and prints its line. @param work gives the statuses of its items. */
async function measure(
  name: string,
  items: number,
  work: () => Promise<readonly number[]>,
): Promise<number> {
  if (!name.includes(values.only)) return NaN;
  const before = [
    (await readProcessUsage(api.pid)).cpuSeconds,
    await postgresSeconds(),
    await outboxRows(),
  ] as const;
  const began = performance.now();
  const statuses = await work();
  const seconds = (performance.now() - began) / 1_000;
  const apiMs = (((await readProcessUsage(api.pid)).cpuSeconds - before[0]) * 1_000) / items;
  const pgMs = (((await postgresSeconds()) - before[1]) * 1_000) / items;
  const tally = [...new Set(statuses)]
    .sort((a, b) => a - b)
    .map((status) => `${status}×${statuses.filter((each) => each === status).length}`);
  console.log(
    [
      name.padEnd(52),
      `${Math.round(items / seconds)}/s`.padStart(9),
      `${apiMs.toFixed(3)} ms`.padStart(10),
      `${pgMs.toFixed(3)} ms`.padStart(10),
      `${(await outboxRows()) - before[2]} events`.padStart(13),
      ` ${tally.join(' ')}`,
    ].join(' '),
  );
  return items / seconds;
}

async function inBatches(
  method: string,
  items: readonly string[],
  width: number,
  withKeys = false,
): Promise<readonly number[]> {
  const statuses: number[] = [];
  await inParallel(batchesOf(items), width, async (batch) => {
    const { status, body } = await send(
      method,
      '/products/batch',
      `{"items":[${batch.join(',')}]}`,
      withKeys ? { 'idempotency-key': randomUUID() } : {},
    );
    if (status !== 207) throw new Error(`a batch was answered ${status} ${body.slice(0, 300)}`);
    for (const item of (JSON.parse(body) as { items: readonly { status: number }[] }).items)
      statuses.push(item.status);
  });
  return statuses;
}

async function oneByOne(
  requests: readonly { readonly method: string; readonly path: string; readonly body: string }[],
  width: number,
): Promise<readonly number[]> {
  const statuses: number[] = [];
  await inParallel(requests, width, async ({ method, path, body }) => {
    const { status } = await send(
      method,
      path,
      body,
      method === 'PATCH' ? { 'if-match': '*' } : {},
    );
    statuses.push(status);
  });
  return statuses;
}

function batchesOf(items: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(items.length / itemsPerBatch) }, (_, at) =>
    items.slice(at * itemsPerBatch, (at + 1) * itemsPerBatch),
  );
}

const data = (file: string) => new URL(`../demo/data/${file}`, import.meta.url);
const diamonds = (await readRows(data('diamonds.csv.gz'))).slice(0, count);
const observations = (await readRows(data('cracker-prices.csv.gz'))).slice(0, count);
const inputs = diamonds.map(diamondInput);
const skuOf = (input: string): string => (JSON.parse(input) as { sku: string }).sku;
const priceOf = (index: number): string => dollarsOf(observations[index]?.['price'] ?? '');
const price = (index: number): string => `{"price":{"amount":${priceOf(index)},"currency":"USD"}}`;

console.log(
  `load average ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} at the start; ${itemsPerBatch} items in a batch, processor time for each item`,
);
console.log(
  `${''.padEnd(52)} ${'items'.padStart(9)} ${'API'.padStart(10)} ${'Postgres'.padStart(10)}`,
);
await send('POST', '/categories', `{"code":"${diamondCategory}","name":"Diamonds"}`);
// What the first requests cost is not what the next ones do.
await inBatches(
  'POST',
  inputs.slice(0, 2_000).map((input) => input.replace('"sku":"', '"sku":"W')),
  1,
);
await measure('create, one request each, 16 callers', 2_000, () =>
  oneByOne(
    inputs.slice(0, 2_000).map((input) => ({
      method: 'POST',
      path: '/products',
      body: input.replace('"sku":"', '"sku":"S'),
    })),
    16,
  ),
);
await measure('create, batches, one at a time', count, () => inBatches('POST', inputs, 1));
await measure('create, batches, two at a time', count, () =>
  inBatches(
    'POST',
    inputs.map((input) => input.replace('"sku":"', '"sku":"T')),
    2,
  ),
);
await measure('create, batches with an Idempotency-Key', count, () =>
  inBatches(
    'POST',
    inputs.map((input) => input.replace('"sku":"', '"sku":"K')),
    1,
    true,
  ),
);
const renamed = (prefix: string): readonly string[] =>
  inputs.map((input) => input.replace('"sku":"', `"sku":"${prefix}`));
await measure('create, one import', count, () => importStream(port, renamed('I')));
await measure('create, two imports at a time', count, async () => {
  const half = Math.ceil(count / 2);
  const lines = renamed('J');
  const both = [lines.slice(0, half), lines.slice(half)].map((part) => importStream(port, part));
  return (await Promise.all(both)).flat();
});
await measure('create, one import, gzip, with an Idempotency-Key', count, () =>
  importStream(port, renamed('G'), {
    isGzip: true,
    headers: { 'idempotency-key': randomUUID(), 'accept-encoding': 'gzip;q=0' },
  }),
);
const { rows: counted } = await admin.query<{ live: number }>(
  'select count(*)::int as live from product where deleted_at is null',
);
const live = counted[0]?.live ?? 0;
await measure('export', live, () => exportStream(port));
await measure('export, gzip', live, () => exportStream(port, { 'accept-encoding': 'gzip' }));
await measure('upsert by sku, half of them new, batches', count, () =>
  inBatches(
    'PUT',
    inputs.map(
      (input, index) =>
        `{"upsert":true,"data":${(index % 2 === 0 ? input.replace('"sku":"', '"sku":"U') : input).replace('"name":"', '"name":"New ')}}`,
    ),
    1,
  ),
);
const skus = inputs.map(skuOf);
const { rows: found } = await admin.query<{ id: string; sku: string }>(
  'select id, sku from product',
);
const ids = new Map(found.map(({ id, sku }) => [sku, id]));
const each = await measure('price run, one PATCH each, 16 callers', count, () =>
  oneByOne(
    skus.map((sku, index) => ({
      method: 'PATCH',
      path: `/products/${ids.get(sku)}`,
      body: price(index),
    })),
    16,
  ),
);
const many = await measure('price run, batches of PATCH by sku', count, () =>
  inBatches(
    'PATCH',
    skus.map((sku, index) => `{"sku":"${sku}","if_match":"*","patch":${price(count - 1 - index)}}`),
    1,
  ),
);
if (values.only === '')
  console.log(`  a batch does ${(many / each).toFixed(1)} × the price run of single requests`);

const brands = [...new Set(observations.map(({ brand = '' }) => brand))];
const hot = async (prefix: string): Promise<void> => {
  await inBatches(
    'POST',
    brands.map((brand) => `{"sku":"${prefix}${brand}","name":"Crackers"}`),
    1,
  );
};
await hot('one-');
await hot('many-');
const { rows: crackers } = await admin.query<{ id: string; sku: string }>(
  "select id, sku from product where name = 'Crackers'",
);
const crackerIds = new Map(crackers.map(({ id, sku }) => [sku, id]));
const single = await measure(
  'observations, one PATCH each, 4 products in order',
  count,
  async () => {
    const statuses = await Promise.all(
      brands.map((brand) =>
        oneByOne(
          observations.flatMap((row, index) =>
            row['brand'] === brand
              ? [
                  {
                    method: 'PATCH',
                    path: `/products/${crackerIds.get(`one-${brand}`)}`,
                    body: price(index),
                  },
                ]
              : [],
          ),
          1,
        ),
      ),
    );
    return statuses.flat();
  },
);
const stream = await measure('observations, one stream of batches', count, () =>
  inBatches(
    'PATCH',
    observations.map(
      ({ brand = '' }, index) => `{"sku":"many-${brand}","if_match":"*","patch":${price(index)}}`,
    ),
    1,
  ),
);
if (values.only === '') {
  console.log(`  the stream of batches does ${(stream / single).toFixed(1)} × the single requests`);
  const { rows: same } = await admin.query<{ differing: number }>(`
    select count(*)::int as differing from product a join product b on b.sku = 'many-' || substr(a.sku, 5)
    where a.sku like 'one-%' and (a.version, a.price_amount) is distinct from (b.version, b.price_amount)`);
  const isSame = same[0]?.differing === 0;
  console.log(`  both ways end with the same versions and prices: ${isSame ? 'yes' : 'NO'}`);
}
console.log(`load average ${loadavg()[0]?.toFixed(1)} at the end`);
await admin.end();
await api.terminate();
await postgres.close();
agent.destroy();
