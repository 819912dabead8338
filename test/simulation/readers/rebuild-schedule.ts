import type { StateStore } from '../../../packages/consumer/src/stores/state-store.ts';
import { rebuildWith } from '../../../packages/consumer/src/rebuild/rebuild-and-follow.ts';
import type { KafkaReads } from '@outbound/kafka';
import { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import { Scheduler } from '../scheduler.ts';
import { itemChange } from '../workload.ts';
import { EventWriter } from './event-writer.ts';
import { GroupWorld } from './group-world.ts';
import { ReaderHost, stopWithinMs, type RunningReader } from './reader-host.ts';
import { ReadersNemesis, readersFaultNames, type ReadersFault } from './readers-nemesis.ts';
import { RebuildChecker } from './rebuild-checker.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import { emptyDisk, SimulatedStore, type StoreDisk } from './simulated-store.ts';

/** How a schedule departs from the production assembly: only to plant a bug and see it found. */
export interface RebuildPlant {
  readonly name: string;
  readonly reads?: (reads: KafkaReads) => KafkaReads;
  /** What a new process finds on its disk. */
  readonly found?: (disk: StoreDisk, cluster: SimulatedCluster) => void;
  readonly store?: (store: StateStore, cluster: SimulatedCluster) => StateStore;
  readonly faults?: readonly ReadersFault[];
}

export interface RebuildResult {
  readonly seed: string;
  readonly failures: readonly string[];
  readonly faults: number;
  readonly events: number;
  readonly caughtUp: number;
  readonly virtualMs: number;
  readonly steps: number;
  readonly trace: readonly string[];
}

const settleWithinMs = 300_000;
const tombstonesLiveMs = 20_000;
const silenceMs = 8000;

/** Runs one schedule of `rebuildAndFollow`'s core: one process with its store, killed, suspended and started again. The seed decides everything. */
export async function runRebuildSchedule(
  seed: string,
  { plant, isTraced = false }: { readonly plant?: RebuildPlant; readonly isTraced?: boolean } = {},
): Promise<RebuildResult> {
  const chance = new Chance(seed);
  const scheduler = new Scheduler();
  const trace: string[] = [];
  const tell = (what: string): void => {
    if (isTraced) trace.push(`${(scheduler.nowMs / 1000).toFixed(3).padStart(9)} s  ${what}`);
  };
  const shape = chance.fork('shape');
  const activeMs = shape.between(2000, 15_000);
  const topic = itemChange.routes[1]?.topic ?? '';
  const world = new GroupWorld(scheduler, chance.fork('world'), {
    from: 'beginning',
    initialDelayMs: 0,
    maxWaiting: Infinity,
    trace: tell,
  });
  const { cluster } = world;
  cluster.create(topic, shape.int(1, 4), true);
  const writer = new EventWriter(cluster, chance.fork('writer'), topic, {
    keysPerPartition: shape.int(1, 6),
    gapMs: shape.pick([20, 80, 300]),
    eventsPerBatch: shape.pick([1, 4, 12]),
    transactions: shape.pick([0, 0.3, 0.9]),
    aborts: shape.pick([0.2, 0.7]),
    openMs: shape.pick([200, 6000]),
    untilMs: activeMs,
  });
  writer.start(shape.pick([0, 20, 120, 300]));
  const checker = new RebuildChecker(cluster, topic);
  const disk = emptyDisk();
  let storeFailures = shape.pick([0, 0, 0.03]);

  const assemble = (life: Life): Promise<RunningReader> => {
    plant?.found?.(disk, cluster);
    const stop = new AbortController();
    const reads = world.reads(life);
    const store = new SimulatedStore({
      disk,
      life,
      chance: chance.fork(`store ${life.name}`),
      failures: () => storeFailures,
      onApplied: () => checker.applied(disk),
    });
    const told = (fields: object, sentence: string): void =>
      tell(
        `${life.name}: ${'error' in fields ? `${sentence}: ${String(fields.error)}` : sentence}`,
      );
    const done = rebuildWith(
      {
        kafka: plant?.reads?.(reads) ?? reads,
        clock: life.clock,
        random: chance.fork(`random ${life.name}`).unit,
      },
      {
        topic,
        eventType: itemChange,
        store: plant?.store?.(store, cluster) ?? store,
        follow: true,
        onBegin: (plan) => {
          tell(`${life.name} begins: ${JSON.stringify(plan)}`);
          reads.log.beginAgain();
        },
        onCaughtUp: ({ partitions }) => {
          if (life.isDead) return;
          tell(`${life.name} has caught up at ${partitions.map(({ high }) => high).join(', ')}`);
          checker.toldCaughtUp(disk, partitions);
        },
        signal: stop.signal,
        log: { info: told, warn: told, error: told },
        silenceMs,
        tombstonesLiveMs,
      },
    );
    return Promise.resolve({
      done,
      stop: () => {
        stop.abort();
        return done;
      },
      gaps: () => 0,
    });
  };
  const host = new ReaderHost('a', scheduler, chance.fork('host'), assemble, {
    trace: tell,
    started: () => checker.began(),
    ended: () => undefined,
    gaveUp: (life, reason) => {
      if (!mayGiveUp(reason)) checker.fail(`I8 ${life.name} gave up: ${String(reason)}`);
    },
    stuck: (life) => checker.fail(`I8 ${life.name} did not stop within ${stopWithinMs} ms`),
  });
  const nemesis = new ReadersNemesis(
    {
      cluster,
      network: world.network,
      coordinator: world.coordinator,
      writer,
      hosts: [host],
      topic,
      sessionTimeoutMs: 6000,
      retentionLimit: ({ log }) => log.lastStableOffset,
      tombstonesLiveMs,
      trace: tell,
    },
    chance.fork('nemesis'),
    {
      faults: plant?.faults ?? [
        ...chosenFaults(shape),
        ...(chance.fork('retention').happens(0.4) ? (['retain'] as const) : []),
      ],
      gapMs: shape.pick([100, 400, 1500]),
      untilMs: activeMs,
    },
  );
  nemesis.start();
  await scheduler.run(activeMs);
  nemesis.healAll();
  storeFailures = 0;
  await scheduler.run(activeMs + 20_000, () => writer.isOver);
  let nextMs = 0;
  const isSettled = await scheduler.run(scheduler.nowMs + settleWithinMs, () => {
    if (scheduler.nowMs < nextMs) return false;
    nextMs = scheduler.nowMs + 200;
    return checker.caughtUp > 0 && checker.different(disk).length === 0;
  });
  if (!isSettled)
    checker.fail(
      `R7 not settled ${settleWithinMs} ms after the last fault: ${checker.different(disk).slice(0, 6).join(', ')}`,
    );
  host.retire();
  await scheduler.run(scheduler.nowMs + stopWithinMs + 1, () => !host.isRunning);
  return {
    seed,
    failures: checker.failures,
    faults: nemesis.bitten,
    events: writer.written,
    caughtUp: checker.caughtUp,
    virtualMs: scheduler.nowMs,
    steps: scheduler.steps,
    trace,
  };
}

/** Ends that a rebuild may come to while its world is broken; whoever runs it starts it again. */
function mayGiveUp(reason: unknown): boolean {
  const code = reason instanceof Error && 'code' in reason ? String(reason.code) : String(reason);
  return /TOPIC_MISSING|READER_STALLED|TRANSACTION_OPEN|POSITION_UNKNOWN|REBUILD_OVERTAKEN|KAFKA_(PARTITION_)?UNAVAILABLE|the store fails/.test(
    code,
  );
}

/** No faults that only a group has; a twin would be a second writer of the store. Retention is chosen apart. */
function chosenFaults(chance: Chance): readonly ReadersFault[] {
  if (chance.happens(0.08)) return [];
  const foreign: ReadersFault[] = ['suspend and replace reader', 'move coordinator', 'retain'];
  const own = readersFaultNames.filter((name) => !foreign.includes(name));
  return chance.shuffled(own).slice(0, chance.pick([1, 2, 4, 8, own.length]));
}
