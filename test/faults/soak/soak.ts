import { createMemoryStore, rebuildAndFollow } from '@outbound/consumer';
import { setTimeout as delay } from 'node:timers/promises';
import type { Verdict } from '../../history/history-checker.ts';
import { Chance } from '../../simulation/chance.ts';
import { EntityWriter } from '../../support/entity-writer.ts';
import { eventually } from '../../support/eventually.ts';
import { judgePipeline } from '../../support/judge-pipeline.ts';
import { connectionTo } from '../../support/read-topics.ts';
import { SqlLoad } from '../../support/sql-load.ts';
import { TestPipeline } from '../../support/test-pipeline.ts';
import type { TestStack } from '../../support/test-stack.ts';
import { finalRows, inFlightRecords } from '../matrix/under-load.ts';
import { Follower } from './follower.ts';
import { RelayCrew } from './relay-crew.ts';
import { nextFaults } from './soak-faults.ts';
import { entityChange } from './soak-event.ts';

/** A relay's memory, and what Postgres may keep for the slot (I9). */
const memoryLimitBytes = 256 * 2 ** 20;
const walLimitBytes = 2 * 2 ** 30;
/** After faults healed: until what was committed by then is acknowledged (I8). */
const healLimitMs = 180_000;

/** What a soak showed. */
export interface SoakResult {
  readonly seed: number;
  readonly minutes: number;
  readonly events: number;
  readonly records: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly doubled: number;
  readonly stale: number;
  readonly reordered: number;
  /** Events that the subscriber was given again. */
  readonly repeated: number;
  readonly peakMiB: number;
  readonly walMiB: number;
  readonly slowestHealSeconds: number;
  /** Broken promises in words; empty is what is wanted. */
  readonly broken: readonly string[];
}

/** Faults in random order against one pipeline for so long, then quiet, and everything judged. Three brokers are expected. */
export async function soak(
  stack: TestStack,
  { seed, minutes, say }: { seed: number; minutes: number; say: (line: string) => void },
): Promise<SoakResult> {
  const chance = new Chance(`soak ${seed}`);
  await using pipeline = await TestPipeline.create(stack);
  await EntityWriter.prepare(pipeline.sql);
  await using crew = await RelayCrew.start(pipeline);
  await eventually(
    () =>
      crew.members.some(({ relay }) => relay.logs.some((line) => line['state'] === 'streaming')),
    { timeoutMs: 60_000 },
  );
  const follower = await Follower.start(pipeline);
  const load = new SqlLoad(pipeline, { writers: 4, entities: 20, pauseMs: 25 });
  const counts: Record<string, number> = {};
  const broken: string[] = [];
  let [walBytes, slowestHealMs, done] = [0, 0, 0];
  const startedMs = performance.now();
  try {
    while (performance.now() - startedMs < minutes * 60_000) {
      const faults = nextFaults(chance);
      const names = faults.map(({ name, row }) => `${name} (${row})`).join(' + ');
      const at = ((performance.now() - startedMs) / 60_000).toFixed(1);
      say(`${at} min, ${load.count} events: ${names}`);
      await Promise.all(
        faults.map(async ({ run }, n) => run({ pipeline, crew }, chance.fork(`${done}/${n}`))),
      );
      done += faults.length;
      for (const { name } of faults) counts[name] = (counts[name] ?? 0) + 1;
      await pipeline.reconnect();
      const healedMs = performance.now();
      walBytes = Math.max(walBytes, await retainedBytes(pipeline));
      await pipeline.caughtUp(healLimitMs);
      slowestHealMs = Math.max(slowestHealMs, performance.now() - healedMs);
      crew.measure();
      await delay(Math.min(chance.gap(3000), 15_000));
    }
  } catch (error) {
    broken.push(
      `I8: ${String(error)}\n${crew.members.map(({ relay }) => relay.tail()).join('\n')}`,
    );
  }
  await load.stop();
  await pipeline.reconnect();
  await pipeline
    .caughtUp(healLimitMs)
    .catch((error: unknown) => broken.push(`I8: ${String(error)}`));
  crew.measure();
  say(`quiet after ${done} faults; judging`);

  const rows = await finalRows(pipeline);
  const verdict = await judgePipeline(pipeline, {
    allowedDuplicates: done * inFlightRecords,
    finalRows: rows,
  });
  broken.push(...verdict.violations.map(({ promise, sentence }) => `${promise}: ${sentence}`));
  broken.push(...crew.ownEnds.map((end) => `I8: ${end}`));
  const isComplete = () =>
    rows.every(({ aggregateId, version }) => follower.highest.get(aggregateId) === version);
  await eventually(isComplete, { timeoutMs: healLimitMs }).catch(() =>
    broken.push('I1: the subscriber did not come to the last version of every key'),
  );
  await follower.stop();
  broken.push(...follower.faults.map((fault) => `I3: ${fault}`));
  broken.push(...(await rebuiltFaults(pipeline, rows)));
  if (crew.peakBytes > memoryLimitBytes) broken.push(`I9: a relay took ${crew.peakBytes} bytes`);
  if (walBytes > walLimitBytes) broken.push(`I9: the slot kept ${walBytes} bytes of log`);
  return {
    seed,
    minutes,
    faults: counts,
    ...figures(verdict),
    repeated: follower.repeated,
    peakMiB: Math.round(crew.peakBytes / 2 ** 20),
    walMiB: Math.round(walBytes / 2 ** 20),
    slowestHealSeconds: Math.round(slowestHealMs / 1000),
    broken,
  };
}

function figures({ committed, records, duplicates, counts }: Verdict) {
  return {
    events: committed,
    records,
    lost: counts.get('lost') ?? 0,
    doubled: duplicates,
    stale: counts.get('stale') ?? 0,
    reordered: counts.get('reordered') ?? 0,
  };
}

async function retainedBytes({ sql, slot }: TestPipeline): Promise<number> {
  const { rows } = await sql.query<{ bytes: string }>(
    'select pg_current_wal_lsn() - restart_lsn as bytes from pg_replication_slots where slot_name = $1',
    [slot],
  );
  return Number(rows[0]?.bytes ?? 0);
}

/** I4, as a rebuilder sees it: the state that is built from the compacted topic is the database. */
async function rebuiltFaults(
  pipeline: TestPipeline,
  rows: Awaited<ReturnType<typeof finalRows>>,
): Promise<string[]> {
  const store = createMemoryStore();
  const over = new AbortController();
  await rebuildAndFollow({
    connection: connectionTo(pipeline.stack.kafka.bootstrap, 'soak-rebuilder'),
    topic: pipeline.topic('catalog.product'),
    eventType: entityChange,
    store,
    signal: over.signal,
    onCaughtUp: () => {
      over.abort();
    },
  });
  const living = rows.filter(({ isDeleted }) => !isDeleted);
  const faults = living
    .filter(({ aggregateId, version }) => store.get(aggregateId)?.version !== version)
    .map(
      ({ aggregateId, version }) =>
        `I4: rebuilt, ${aggregateId} is at version ${store.get(aggregateId)?.version ?? 'none'}, in the database at ${version}`,
    );
  if (store.size !== living.length)
    faults.push(`I4: rebuilt, there are ${store.size} entities, in the database ${living.length}`);
  return faults;
}
