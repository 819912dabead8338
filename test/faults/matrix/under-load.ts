import { EntityWriter } from '../../support/entity-writer.ts';
import { eventually } from '../../support/eventually.ts';
import type { FaultProxy } from '../../support/fault-proxy.ts';
import { judgePipeline } from '../../support/judge-pipeline.ts';
import type { RelayProcess } from '../../support/relay-process.ts';
import { SqlLoad } from '../../support/sql-load.ts';
import { TestPipeline } from '../../support/test-pipeline.ts';
import type { TestStack } from '../../support/test-stack.ts';
import type { FinalRow } from '../../history/history.ts';
import type { FaultOutcome, Judgement } from './fault-row.ts';
import { judged, judgedHistory } from './judged.ts';

/** A pipeline in the midst of its work. */
export interface Scene {
  readonly stack: TestStack;
  readonly pipeline: TestPipeline;
  readonly load: SqlLoad;
  /** The relay that is expected to go on; set it when another takes its place. */
  relay: RelayProcess;
  /** Starts a relay as the first one was started. */
  start(): Promise<RelayProcess>;
  /** The same without waiting for it. */
  launch(): RelayProcess;
}

export interface UnderLoad {
  /** For the pipeline's relays. */
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  readonly load?: {
    readonly writers?: number;
    readonly entities?: number;
    readonly pauseMs?: number;
  };
  /** Between the relay and Postgres. */
  readonly postgresProxy?: FaultProxy;
  /** Added to the URL with which the relay reaches Postgres, such as `sslmode`. */
  readonly urlParameters?: Readonly<Record<string, string>>;
  /** Done before the first relay starts. */
  readonly before?: (pipeline: TestPipeline) => Promise<void>;
  /** Records that may be there a second time (I7), told the events that were committed. */
  readonly allowedDuplicates: number;
  /** How long all may take to arrive after the end of the load (I8). */
  readonly healLimitMs?: number;
}

/** What is on its way to Kafka when a relay dies at this load: one send, of two records per event. */
export const inFlightRecords = 400;

/**
 * Lets writers write and a relay publish, does the fault, lets the load end, waits until all has arrived and judges the whole history: I1 to I5, I7, and I8 by the
 * time that it took.
 */
export async function underLoad(
  stack: TestStack,
  options: UnderLoad,
  fault: (scene: Scene) => Promise<FaultOutcome>,
): Promise<FaultOutcome> {
  await using pipeline = await TestPipeline.create(stack, options.env);
  await EntityWriter.prepare(pipeline.sql);
  await options.before?.(pipeline);
  const env = { RELAY_DATABASE_URL: relayUrl(pipeline, options) };
  const launch = () => pipeline.launchRelay(env, options.nodeArgs);
  const start = () => pipeline.startRelay(env, options.nodeArgs);
  const relay = await start();
  const load = new SqlLoad(pipeline, { pauseMs: 2, ...options.load });
  let outcome: FaultOutcome;
  try {
    await eventually(() => load.count > 100, { timeoutMs: 60_000 });
    outcome = await fault({ stack, pipeline, load, relay, start, launch });
  } finally {
    await load.stop();
  }
  await pipeline.reconnect();
  const healMs = performance.now();
  const limitMs = options.healLimitMs ?? 60_000;
  const late = await pipeline.caughtUp(limitMs).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  const seconds = (performance.now() - healMs) / 1000;
  const verdict = await judgePipeline(pipeline, {
    allowedDuplicates: options.allowedDuplicates,
    finalRows: await finalRows(pipeline),
  });
  const alive: Judgement = judged(
    'I8',
    late === undefined,
    late === undefined
      ? `caught up ${seconds.toFixed(1)} s after the end of the load`
      : `did not catch up: ${late}`,
  );
  const isJudged = new Set(outcome.judged.map(({ promise }) => promise));
  return {
    ...outcome,
    judged: [
      ...judgedHistory(verdict),
      ...(isJudged.has('I8') && alive.holds ? [] : [alive]),
      ...outcome.judged,
    ],
    figures: {
      events: verdict.committed,
      duplicates: verdict.duplicates,
      ...outcome.figures,
    },
  };
}

function relayUrl(
  pipeline: TestPipeline,
  { postgresProxy, urlParameters = {} }: UnderLoad,
): string {
  const url = new URL(pipeline.relayEnv['RELAY_DATABASE_URL'] ?? '');
  if (postgresProxy) url.host = `${postgresProxy.host}:${postgresProxy.port}`;
  for (const [name, value] of Object.entries(urlParameters)) url.searchParams.set(name, value);
  return url.href;
}

/** The entities as they are in the database (I4). */
export async function finalRows({ sql }: TestPipeline): Promise<FinalRow[]> {
  const { rows } = await sql.query<{ id: string; version: string; is_deleted: boolean }>(
    'select id, version, is_deleted from entity',
  );
  return rows.map(({ id, version, is_deleted: isDeleted }) => ({
    aggregateId: id,
    version: Number(version),
    isDeleted,
  }));
}

/** Resolves when so many more events are written. */
export async function moreWritten(load: SqlLoad, events: number): Promise<void> {
  const before = load.count;
  await eventually(() => load.count >= before + events, { timeoutMs: 60_000 });
}

/** Resolves when the relay has published so many more records. */
export async function morePublished(relay: RelayProcess, records: number): Promise<void> {
  const before = (await relay.metric('relay_records_published_total')) ?? 0;
  await eventually(
    async () => ((await relay.metric('relay_records_published_total')) ?? 0) >= before + records,
    { timeoutMs: 60_000, intervalMs: 3 },
  );
}
