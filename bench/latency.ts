import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { TestPipeline } from '../test/support/test-pipeline.ts';
import type { TestStack } from '../test/support/test-stack.ts';
import { openLoop } from './arrivals.ts';
import { defaultEntities, prepareBacklog } from './backlog.ts';
import { dropSlot } from './drain.ts';
import { benchEventType, benchRoutes, judge, type Judgement } from './judge.ts';
import type { ConsumerMessage, Finish, Received } from './latency-consumer.ts';
import { readProcessorTime } from './machine.ts';
import { confirmed, measureRelay, type RelayUsage } from './relay-run.ts';
import { summarizeLatency, type LatencySummary } from './statistics.ts';

/** Latencies in ms, from the commit's timestamp in Postgres. */
export interface LatencyRun {
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** To the consumer's receipt. */
  readonly receipt: LatencySummary;
  /** To the broker's append; its clock ticks in whole ms, rounded down. */
  readonly append: LatencySummary;
  readonly usage: RelayUsage;
  readonly judgement: Judgement;
  /** Cores that the host took from this machine meanwhile, of all its cores. */
  readonly stolenCores: number;
}

const warmUpSeconds = 5;
const writers = 8;
const timeoutMs = 60_000;

/**
 * Commits single events on a fixed schedule, each in its own durable transaction, and times them to a consumer in another process.
 * What arrives in the first seconds is published and judged like the rest, but not timed: the compilers are still at work.
 */
export async function runLatency(
  stack: TestStack,
  {
    ratePerSecond,
    seconds,
    payloadBytes,
    profile,
    env = {},
  }: {
    ratePerSecond: number;
    seconds: number;
    payloadBytes: number;
    profile?: string | undefined;
    env?: Readonly<Record<string, string>>;
  },
): Promise<LatencyRun> {
  await using pipeline = await TestPipeline.create(stack);
  await prepareBacklog(pipeline);
  const { slot } = pipeline;
  const relay = await measureRelay(pipeline, { profile, env });
  await relay.process.reached('streaming');
  const topic = pipeline.topic(benchRoutes(1)[0]?.topic ?? '');
  const consumer = await startConsumer(stack.kafka.bootstrap, topic);
  const before = await readProcessorTime();
  const startedMs = performance.now();
  const count = (warmUpSeconds + seconds) * ratePerSecond;
  await writeEvents(pipeline, { count, ratePerSecond, payloadBytes });
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  const after = await readProcessorTime();
  const targetLsn = await pipeline.walEnd();
  await confirmed(pipeline, relay, { slot, targetLsn, timeoutMs });
  const usage = await relay.usage();
  await relay.stop();
  const received = await receivedEvents(consumer, { count });
  await dropSlot(pipeline, slot);

  const commits = await commitTimes(pipeline.sql);
  const timed = timedEvents(commits, warmUpSeconds * ratePerSecond);
  const appended = new Map<string, number>();
  const { judgement } = await judge(pipeline, {
    topicPrefix: pipeline.topicPrefix,
    routes: benchRoutes('all'),
    onRecord: (recordTopic, eid, appendedMs) => {
      if (recordTopic === topic && !appended.has(eid)) appended.set(eid, appendedMs);
    },
  });
  return {
    ratePerSecond,
    seconds,
    receipt: summarizeLatency(latencies(timed, commits, firstTimes(received))),
    append: summarizeLatency(latencies(timed, commits, appended)),
    usage,
    judgement,
    stolenCores: (after.steal - before.steal) / elapsedSeconds,
  };
}

/**
 * Writes until `count`, or until `signal`. @returns how many events were committed. An entity's events go through one connection, so that its versions commit in order though several commits are on their way. */
export async function writeEvents(
  pipeline: TestPipeline,
  {
    count,
    ratePerSecond,
    payloadBytes,
    signal,
  }: { count: number; ratePerSecond: number; payloadBytes: number; signal?: AbortSignal },
): Promise<number> {
  const lines = await Promise.all(
    Array.from({ length: writers }, async () => ({
      client: await pipeline.connect(),
      last: Promise.resolve<unknown>(undefined),
    })),
  );
  try {
    const written = await openLoop({ count, ratePerSecond, signal }, (event) => {
      const line = lines[(event % defaultEntities) % writers];
      if (!line) return;
      line.last = line.last.then(() =>
        line.client.query({
          name: 'bench_event',
          text: 'select bench_event($1, $2, $3)',
          values: [event, defaultEntities, payloadBytes],
        }),
      );
      // Seen below, when everything has arrived; until then its rejection has a handler.
      line.last.catch(() => undefined);
    });
    await Promise.all(lines.map(({ last }) => last));
    return written;
  } finally {
    await Promise.allSettled(lines.map(({ last }) => last));
    for (const { client } of lines) await client.end();
  }
}

/** A subscriber in a process of its own, which notes when each event came. */
export async function startConsumer(
  brokers: readonly string[],
  topic: string,
): Promise<ChildProcess> {
  const child = fork(
    fileURLToPath(new URL('./latency-consumer.ts', import.meta.url)),
    [brokers.join(','), topic],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  await nextMessage(child, 'ready');
  return child;
}

/** What it noted, once that is `count` events; it ends then. */
export async function receivedEvents(
  consumer: ChildProcess,
  finish: Finish,
): Promise<Received['events']> {
  const answer = nextMessage(consumer, 'received');
  consumer.send(finish);
  const { events } = (await answer) as Received;
  if (consumer.exitCode === null) await once(consumer, 'exit');
  return events;
}

async function nextMessage(
  child: ChildProcess,
  kind: ConsumerMessage['kind'],
): Promise<ConsumerMessage> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`the latency consumer ended with ${code} before it was ${kind}`));
    child.once('exit', onExit);
    child.on('message', (message) => {
      const told = message as ConsumerMessage;
      if (told.kind !== kind) return;
      child.off('exit', onExit);
      resolve(told);
    });
  });
}

/** When each event committed, ms since 1970 with fractions, in the order of their commits. */
export async function commitTimes(sql: pg.Client): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql.query<{ id: string; ms: number }>(
    'select id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8 * 1000 as ms from outbox order by ms',
  );
  return new Map(rows.map(({ id, ms }) => [id, ms]));
}

function timedEvents(commits: ReadonlyMap<string, number>, warmUpEvents: number): string[] {
  return [...commits.keys()].slice(warmUpEvents);
}

/** The first time of each event: what comes again is a duplicate, and the checker's business. */
export function firstTimes(received: Received['events']): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const [eid, ms] of received) if (!times.has(eid)) times.set(eid, ms);
  return times;
}

/** @throws Error if an event has no time: a latency that is left out would be the longest of all. */
export function latencies(
  eids: readonly string[],
  commits: ReadonlyMap<string, number>,
  times: ReadonlyMap<string, number>,
): number[] {
  return eids.map((eid) => {
    const [from, to] = [commits.get(eid), times.get(eid)];
    if (from === undefined || to === undefined)
      throw new Error(`event ${eid} of ${benchEventType} was committed and never came`);
    return to - from;
  });
}
