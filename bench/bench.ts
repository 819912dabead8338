import { writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { TestStack } from '../test/support/test-stack.ts';
import { kafkaVersion } from '../packages/local-stack/src/processes/kafka/jars.ts';
import { runApi } from './api/run-api.ts';
import { startBenchStack } from './bench-stack.ts';
import { runExactlyOnce } from './exactly-once.ts';
import { runDrainRound, type DrainRound } from './drain.ts';
import { runHugeTransaction } from './huge-transaction.ts';
import { runIdle } from './idle.ts';
import { isSound } from './judge.ts';
import { runLatency } from './latency.ts';
import { describeMachine } from './machine.ts';
import { parseBenchOptions, type BenchOptions } from './options.ts';
import { runReading } from './reading/run-reading.ts';
import { runRebuild } from './rebuild.ts';
import { report } from './report.ts';
import { judgements, type BenchResult } from './result.ts';
import { bundle } from '../scripts/bundle.ts';

/**
 * `npm run bench`: measures the built relay on real servers and prints the report. Floors that are not met are said, and end with 0
 * like the rest: a figure depends on the machine. Exit code 1 if something was lost, reordered or altered: that depends on nothing.
 */
async function main(options: BenchOptions): Promise<number> {
  const loadPerCoreAtStart = (loadavg()[0] ?? 0) / availableParallelism();
  const startedAt = new Date().toISOString();
  say('building the services');
  // A bundle that was left over would be measured under the name of this commit.
  await bundle(['services/catalog-api', 'services/relay', 'packages/cli']);
  say('starting Postgres and Kafka');
  await using stack = await startBenchStack();
  const result: BenchResult = {
    startedAt,
    machine: await describeMachine(fileURLToPath(new URL('..', import.meta.url))),
    versions: await versions(stack),
    payloadBytes: options.payloadBytes,
    drainEvents: options.drainEvents,
    loadPerCoreAtStart,
    ...(await measure(stack, options)),
  };
  process.stdout.write(report(result));
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
  const unsound = judgements(result).filter(({ judgement }) => !isSound(judgement));
  for (const { of } of unsound) process.stdout.write(`UNSOUND  ${of}: see the checker's table\n`);
  const { rebuild } = result;
  const isPartial = rebuild !== undefined && rebuild.rebuiltRows !== rebuild.keys;
  if (isPartial)
    process.stdout.write(`UNSOUND  rebuild: ${rebuild.rebuiltRows} of ${rebuild.keys} keys\n`);
  return unsound.length === 0 && !isPartial ? 0 : 1;
}

async function measure(
  stack: TestStack,
  options: BenchOptions,
): Promise<
  Pick<
    BenchResult,
    'drain' | 'latency' | 'exactlyOnce' | 'hugeTransaction' | 'idle' | 'rebuild' | 'reading' | 'api'
  >
> {
  const { only, payloadBytes, profile } = options;
  const drain: DrainRound[] = [];
  const warmed = ['drain', 'latency', 'exactly-once', 'rebuild'] as const;
  if (warmed.some((part) => only.has(part))) {
    say('warming up the broker and the page cache');
    await runDrainRound(stack, 0, { events: Math.ceil(options.drainEvents / 4), payloadBytes });
  }
  for (let run = 0; only.has('drain') && run < options.runs; run += 1) {
    say(`drain ${run + 1} of ${options.runs}`);
    drain.push(
      await runDrainRound(stack, run, { events: options.drainEvents, payloadBytes, profile }),
    );
  }
  const measured: { -readonly [Key in keyof BenchResult]?: BenchResult[Key] } = {};
  if (only.has('latency')) {
    say('latency');
    measured.latency = await runLatency(stack, {
      ratePerSecond: options.latencyRatePerSecond,
      seconds: options.latencySeconds,
      payloadBytes,
    });
  }
  if (only.has('exactly-once'))
    measured.exactlyOnce = await runExactlyOnce(stack, {
      events: options.drainEvents,
      runs: options.runs,
      payloadBytes,
      ratePerSecond: options.latencyRatePerSecond,
      seconds: options.latencySeconds,
      say,
    });
  if (only.has('idle')) {
    say('idle');
    measured.idle = await runIdle(stack, { seconds: options.idleSeconds });
  }
  if (only.has('hugetx')) {
    say(`one transaction of ${options.hugeTransactionRows} rows`);
    measured.hugeTransaction = await runHugeTransaction(stack, {
      rows: options.hugeTransactionRows,
      payloadBytes,
    });
  }
  if (only.has('rebuild')) {
    say(`a rebuild of ${options.rebuildKeys} keys beside live events`);
    measured.rebuild = await runRebuild(stack, {
      keys: options.rebuildKeys,
      ratePerSecond: options.latencyRatePerSecond,
      seconds: options.latencySeconds,
      payloadBytes,
      say,
    });
  }
  if (only.has('reading'))
    measured.reading = await runReading(stack.kafka, {
      events: options.readingEvents,
      runs: options.runs,
      say,
    });
  if (only.has('api'))
    measured.api = await runApi(stack, {
      requests: options.apiRequests,
      rounds: options.runs,
      say,
    });
  return { drain, ...measured };
}

async function versions(stack: TestStack): Promise<BenchResult['versions']> {
  const client = new pg.Client(stack.postgres.url);
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    return { postgres: rows[0]?.server_version ?? 'unknown', kafka: kafkaVersion };
  } finally {
    await client.end();
  }
}

/** Progress goes to stderr, so that stdout is the report alone. */
function say(what: string): void {
  process.stderr.write(`bench: ${what}\n`);
}

let options: BenchOptions;
try {
  options = parseBenchOptions(process.argv.slice(2));
} catch (thrown) {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exit(2);
}
process.exitCode = await main(options);
