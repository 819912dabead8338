import type { ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import { loadavg } from 'node:os';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline as pipe } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { diamondCategory, diamondInput } from '../demo/diamonds.ts';
import { readRows } from '../demo/rows.ts';
import { ServiceProcess } from '../test/support/service-process.ts';
import { TestPipeline } from '../test/support/test-pipeline.ts';
import { urlAs } from '../test/support/test-stack.ts';
import { startBenchStack } from './bench-stack.ts';
import { commitTimes, firstTimes, latencies, receivedEvents, startConsumer } from './latency.ts';
import { summarizeLatency } from './statistics.ts';

/**
 * `npm run bench:import-latency -- [--seconds N] [--rate N]`: how late single writes over the API arrive at a consumer, commit to receipt, by themselves and with an import under way beside them;
 * real Postgres, relay and Kafka. The two take turns three times, so what else the machine does falls into both.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '20' },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
const rounds = 3;

await using stack = await startBenchStack();
await using pipeline = await TestPipeline.create(stack);
await pipeline.startRelay();
await using api = new ServiceProcess(
  'services/catalog-api/src/main.ts',
  {
    CATALOG_API_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_api'),
    CATALOG_API_AUTH: 'off',
    CATALOG_API_PORT: '0',
    CATALOG_API_ADMIN_PORT: '0',
    CATALOG_API_STOP_GRACE_MS: '0',
    HOME: process.env['HOME'] ?? '',
  },
  ['--import', 'tsx'],
);
const port = Number((await api.log('listening', () => true, 120_000))['port']);
/** On a busy machine the group's coordinator may not be there yet. */
async function subscribe(tries = 10): Promise<ChildProcess> {
  try {
    return await startConsumer(stack.kafka.bootstrap, pipeline.topic('catalog.product-change'));
  } catch (error) {
    if (tries === 1) throw error;
    await delay(2_000);
    return subscribe(tries - 1);
  }
}
const consumer = await subscribe();
const inputs = (await readRows(new URL('../demo/data/diamonds.csv.gz', import.meta.url))).map(
  diamondInput,
);

async function post(path: string, body: object): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await answer.arrayBuffer();
  if (answer.status !== 201) throw new Error(`a single write was answered ${answer.status}`);
}

/** Single writes at a fixed rate, whether those before them are answered or not. */
async function writeSingles(prefix: string, round: number): Promise<void> {
  const begun: Promise<void>[] = [];
  const startedMs = performance.now();
  for (let i = 0; i < rate * seconds; i += 1) {
    await delay(Math.max(0, startedMs + (i * 1_000) / rate - performance.now()));
    const one = post('/products', { sku: `${prefix}-${round}-${i}`, name: 'Single' });
    one.catch(() => undefined);
    begun.push(one);
  }
  await Promise.all(begun);
}

let imported = 0;
/** One import after the other's lines, until `signal`. */
async function importUntil(signal: AbortSignal): Promise<number> {
  const lines = function* (): Generator<string> {
    while (!signal.aborted) {
      const input = inputs[imported % inputs.length] ?? '';
      yield `${input.replace('"sku":"', `"sku":"I${imported}-`)}\n`;
      imported += 1;
    }
  };
  const startedMs = performance.now();
  const call = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/products/import',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const answered = new Promise<string>((resolve, reject) => {
    call.on('error', reject);
    call.on('response', (response) => void text(response).then(resolve, reject));
  });
  await pipe(Readable.from(lines()), call);
  const end = /"end":\{"lines":(\d+),"succeeded":(\d+)/.exec(await answered);
  if (end === null || end[1] !== end[2]) throw new Error('the import broke off, or a line failed');
  return (Number(end[2]) * 1_000) / (performance.now() - startedMs);
}

console.log(
  `load average ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} at the start`,
);
await post('/categories', { code: diamondCategory, name: 'Diamonds' });
await writeSingles('warm', 0);
const rates: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  await writeSingles('alone', round);
  const stop = new AbortController();
  const importing = importUntil(stop.signal);
  await writeSingles('beside', round);
  stop.abort();
  rates.push(await importing);
  // What the import has left to be published must not count for those by themselves.
  await pipeline.caughtUp(300_000);
}
const commits = await commitTimes(pipeline.sql);
const times = firstTimes(await receivedEvents(consumer, { count: commits.size }));
for (const kind of ['alone', 'beside']) {
  const { rows } = await pipeline.sql.query<{ id: string }>(
    `select id from outbox where payload -> 'data' ->> 'name' = 'Single' and payload -> 'data' ->> 'sku' like $1`,
    [`%${kind}-%`],
  );
  const { p50, p99, max } = summarizeLatency(
    latencies(
      rows.map(({ id }) => id),
      commits,
      times,
    ),
  );
  console.log(
    `${kind.padEnd(8)} ${rows.length} writes, commit to receipt: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${max.toFixed(1)} ms`,
  );
}
console.log(
  `imports beside them: ${rates.map((each) => `${Math.round(each)}/s`).join(', ')}; load average ${loadavg()[0]?.toFixed(1)} at the end`,
);
await api.terminate();
