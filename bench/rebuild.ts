import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { TestPipeline } from '../test/support/test-pipeline.ts';
import type { TestStack } from '../test/support/test-stack.ts';
import { prepareBacklog } from './backlog.ts';
import { benchPostgresSettings } from './bench-stack.ts';
import { dropSlot } from './drain.ts';
import { fillStateTopic } from './fill-state-topic.ts';
import { benchRoutes, judge, type Judgement } from './judge.ts';
import {
  commitTimes,
  firstTimes,
  latencies,
  receivedEvents,
  startConsumer,
  writeEvents,
} from './latency.ts';
import { readProcessorTime } from './machine.ts';
import type { ProcessUsage } from './process-usage.ts';
import { rebuildInto, type Rebuilt } from './rebuild-process.ts';
import { confirmed, measureRelay } from './relay-run.ts';
import { summarizeLatency, type LatencySummary } from './statistics.ts';

/** A bulk consumer beside a live one. Latencies in ms, from the commit's timestamp to the live consumer's receipt. */
export interface RebuildRun {
  readonly keys: number;
  readonly ratePerSecond: number;
  readonly before: LatencySummary;
  readonly during: LatencySummary;
  /** From the start of the process to the caught-up moment. */
  readonly wallSeconds: number;
  /** From the first request to the caught-up moment, as the rebuilder says. */
  readonly seconds: number;
  readonly records: number;
  readonly bytes: number;
  /** When it had caught up, by its own clock; RFC 3339. */
  readonly caughtUpAt: string;
  readonly rebuilder: ProcessUsage;
  /** Rows that the table has of the keys that were there when it began: has to be `keys`. */
  readonly rebuiltRows: number;
  readonly judgement: Judgement;
  readonly stolenCores: number;
  /** The same topic once more, into each target, with the machine to itself. */
  readonly alone: readonly RebuildAlone[];
}

/** One rebuild with nothing beside it. */
export interface RebuildAlone extends Rebuilt {
  readonly into: 'memory' | 'postgres' | 'file';
}

const warmUpSeconds = 5;
const timeoutMs = 120_000;

/**
 * Fills the compacted topic, then lets `outbound rebuild` read all of it into a Postgres server of its own while single events keep their fixed
 * schedule through the relay to a live consumer: three processes that know nothing of each other. The quiet time before is measured in the same run.
 */
export async function runRebuild(
  stack: TestStack,
  {
    keys,
    ratePerSecond,
    seconds,
    payloadBytes,
    say,
  }: {
    keys: number;
    ratePerSecond: number;
    seconds: number;
    payloadBytes: number;
    say: (what: string) => void;
  },
): Promise<RebuildRun> {
  await using pipeline = await TestPipeline.create(stack);
  await using warehouse = await startPostgres({ settings: benchPostgresSettings });
  await prepareBacklog(pipeline);
  const { slot } = pipeline;
  const stateTopic = pipeline.topic('catalog.product');
  say(`filling ${stateTopic} with ${keys} keys`);
  await fillStateTopic(stack.kafka, { topic: stateTopic, keys, payloadBytes });

  const relay = await measureRelay(pipeline);
  await relay.process.reached('streaming');
  const topic = pipeline.topic(benchRoutes(1)[0]?.topic ?? '');
  const consumer = await startConsumer(stack.kafka.bootstrap, topic);
  const stop = new AbortController();
  const writing = writeEvents(pipeline, {
    count: Infinity,
    ratePerSecond,
    payloadBytes,
    signal: stop.signal,
  });
  // Its failure is seen below; until then it has a handler.
  writing.catch(() => undefined);
  say(`live events for ${warmUpSeconds + seconds} s without a rebuild`);
  await Promise.race([writing, pause(warmUpSeconds + seconds)]);
  const before = await readProcessorTime();
  const startedMs = Date.now();
  say('rebuilding');
  const rebuilt = await rebuildInto(['postgres', '--table', 'product_copy'], {
    pipeline,
    warehouse,
  });
  const endedMs = Date.parse(rebuilt.at);
  const after = await readProcessorTime();
  stop.abort();
  const count = await writing;
  await confirmed(pipeline, relay, { slot, targetLsn: await pipeline.walEnd(), timeoutMs });
  await relay.stop();
  const received = firstTimes(await receivedEvents(consumer, { count }));
  await dropSlot(pipeline, slot);

  const commits = await commitTimes(pipeline.sql);
  const measuredFromMs = startedMs - seconds * 1000;
  const summary = (fromMs: number, toMs: number): LatencySummary =>
    summarizeLatency(
      latencies(
        [...commits].filter(([, ms]) => ms >= fromMs && ms < toMs).map(([eid]) => eid),
        commits,
        received,
      ),
    );
  const { judgement } = await judge(pipeline, {
    topicPrefix: pipeline.topicPrefix,
    routes: benchRoutes(1),
  });
  const wallSeconds = (endedMs - startedMs) / 1000;
  return {
    keys,
    ratePerSecond,
    before: summary(measuredFromMs, startedMs),
    during: summary(startedMs, endedMs),
    wallSeconds,
    seconds: rebuilt.seconds,
    records: rebuilt.records,
    bytes: rebuilt.bytes,
    caughtUpAt: rebuilt.at,
    rebuilder: rebuilt.usage,
    rebuiltRows: await rebuiltRows(warehouse),
    judgement,
    stolenCores: (after.steal - before.steal) / wallSeconds,
    alone: await rebuildAlone(pipeline, warehouse, say),
  };
}

async function rebuildAlone(
  pipeline: TestPipeline,
  warehouse: PostgresServer,
  say: (what: string) => void,
): Promise<RebuildAlone[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rebuild-'));
  const targets = [
    { into: 'memory', options: [] },
    { into: 'postgres', options: ['--table', 'alone'] },
    { into: 'file', options: ['--file', join(folder, 'state.ndjson')] },
  ] as const;
  const found: RebuildAlone[] = [];
  try {
    for (const { into, options } of targets) {
      say(`rebuilding into ${into}, alone`);
      found.push({
        into,
        ...(await rebuildInto([into, ...options], { pipeline, warehouse })),
      });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return found;
}

async function rebuiltRows({ url }: PostgresServer): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{ n: string }>(
      `select count(*) as n from product_copy where key like 'bulk-%' and version = 1`,
    );
    return Number(rows[0]?.n);
  } finally {
    await client.end();
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
