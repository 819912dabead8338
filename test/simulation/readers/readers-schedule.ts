import type { KafkaReads } from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import { Scheduler } from '../scheduler.ts';
import { itemChange } from '../workload.ts';
import { EventWriter } from './event-writer.ts';
import { GroupWorld } from './group-world.ts';
import { HandlerScript, type HandlerPlan } from './handler-script.ts';
import type { ReaderControl } from './reader-control.ts';
import { ReaderOperator } from './reader-operator.ts';
import { chosenFeatures, isPoison, type ReadersFeatures } from './readers-features.ts';
import { SimulatedDeadLetters } from './simulated-dead-letters.ts';
import { ReaderHost, stopWithinMs, type RunningReader } from './reader-host.ts';
import {
  movingFaults,
  ReadersNemesis,
  readersFaultNames,
  type ReadersFault,
} from './readers-nemesis.ts';
import { deadLetterTopic, startSubscription, type ReaderAssembly } from './subscription-reader.ts';

/** How a schedule departs from the production assembly: only to plant a bug and see it found. */
export interface ReadersPlant {
  readonly name: string;
  /** Stands between the core and its Kafka. */
  readonly reads?: (reads: KafkaReads, life: Life, world: GroupWorld) => KafkaReads;
  readonly clock?: (clock: Clock, life: Life) => Clock;
  readonly assembly?: (assembly: ReaderAssembly) => ReaderAssembly;
  /** Stands between whoever asks a running reader for something, and the reader. */
  readonly control?: (control: ReaderControl) => ReaderControl;
  /** Faults that bring it out, in place of those that the seed would choose. */
  readonly faults?: readonly ReadersFault[];
  readonly features?: Partial<ReadersFeatures>;
}

export interface ReadersScheduleOptions {
  readonly plant?: ReadersPlant | undefined;
  /** Keeps what happened, with its time. */
  readonly isTraced?: boolean;
  /** In place of what the seed would choose. */
  readonly features?: ReadersFeatures;
}

export interface ReadersResult {
  readonly seed: string;
  /** One sentence for each broken rule, its name first; empty if all was well. */
  readonly failures: readonly string[];
  readonly faults: number;
  readonly events: number;
  readonly handled: number;
  readonly deadLetters: number;
  readonly repeated: number;
  readonly virtualMs: number;
  readonly steps: number;
  readonly trace: readonly string[];
}

/** Everything must be handled and committed this long after the last fault has healed (I8). */
const settleWithinMs = 180_000;

/** Runs one schedule: the production core of `subscribe`, a simulated world, faults, and the verdict. The seed decides everything. */
export async function runReadersSchedule(
  seed: string,
  { plant, isTraced = false, features }: ReadersScheduleOptions = {},
): Promise<ReadersResult> {
  const chance = new Chance(seed);
  const scheduler = new Scheduler();
  const trace: string[] = [];
  const tell = (what: string): void => {
    if (isTraced) trace.push(`${(scheduler.nowMs / 1000).toFixed(3).padStart(9)} s  ${what}`);
  };
  const shape = chance.fork('shape');
  const activeMs = shape.between(2000, 10_000);
  const from = shape.happens(0.7) ? 'beginning' : 'end';
  const isStatic = shape.happens(0.3);
  const sessionTimeoutMs = shape.pick([2000, 6000, 10_000]);
  let handlers: HandlerPlan = {
    ms: shape.pick([0, 5, 40, 300]),
    long: shape.pick([0, 0, 0.02]),
    longMs: 1.5 * sessionTimeoutMs,
    failures: shape.pick([0, 0, 0.05]),
    isPoison: (eid) => !areMended && isPoison(eid, deadLetters?.poison ?? 0),
  };
  /** The handlers take every event now. */
  let areMended = false;
  const isBatched = shape.happens(0.3);
  // Drawn apart, so that the rest of a schedule is what it was before there were features.
  const chosen = features ?? chosenFeatures(chance.fork('features'));
  const { topics: topicCount, deadLetters, acts, ...also } = { ...chosen, ...plant?.features };
  const hasRedrives = also.redrives && deadLetters !== undefined;
  const topic = itemChange.routes[0]?.topic ?? '';

  const maxEvents = shape.pick([5, 50, 1000]);
  const isRetentionHarsh = shape.happens(0.2);

  const world = new GroupWorld(scheduler, chance.fork('world'), {
    from,
    initialDelayMs: shape.pick([0, 300]),
    maxWaiting: maxEvents + 40,
    trace: tell,
  });
  const { checker, cluster, coordinator } = world;
  cluster.create(topic, shape.int(1, 4), true);
  const writer = new EventWriter(cluster, chance.fork('writer'), topic, {
    keysPerPartition: shape.int(1, 3),
    gapMs: shape.pick([20, 80, 300]),
    eventsPerBatch: shape.pick([1, 4, 12]),
    transactions: shape.pick([0, 0, 0.3, 0.9]),
    aborts: shape.pick([0.2, 0.7]),
    openMs: shape.pick([200, 3000]),
    untilMs: activeMs,
  });
  const backlog = shape.pick([0, 0, 20, 120]);
  writer.start(backlog);
  const otherTopic = `other.${topic}`;
  let otherWriter: EventWriter | undefined;
  if (topicCount > 1) {
    cluster.create(otherTopic, chance.fork('other topic').int(1, 3), true);
    otherWriter = new EventWriter(cluster, chance.fork('other writer'), otherTopic, {
      ...{ keysPerPartition: 2, gapMs: 150, eventsPerBatch: 4, transactions: 0, aborts: 0 },
      ...{ openMs: 200, untilMs: activeMs, prefix: 'o' },
    });
    otherWriter.start(backlog);
  }
  let letterBox = deadLetters ?? { poison: 0, ms: 0, failures: 0 };
  if (deadLetters) cluster.create(deadLetterTopic, 1, true);
  const simulatedDeadLetters = new SimulatedDeadLetters({
    ...{ chance: chance.fork('dead letters'), checker, trace: tell },
    plan: () => letterBox,
  });

  const gaps: string[] = [];
  const readers: RunningReader[] = [];
  const concurrency = shape.pick([1, 3, 16]);
  const commitIntervalMs = shape.pick([50, 500]);
  const assemble = (life: Life, host: ReaderHost) => {
    const random = chance.fork(`reader ${life.name}`);
    const script = new HandlerScript({
      life,
      chance: random.fork('handlers'),
      plan: () => handlers,
      checker,
      trace: tell,
    });
    const reads = world.reads(life);
    const assembly: ReaderAssembly = {
      kafka: plant?.reads?.(reads, life, world) ?? reads,
      clock: plant?.clock?.(life.clock, life) ?? life.clock,
      random: random.unit,
      topics: topicCount > 1 ? [topic, otherTopic] : [topic],
      from,
      groupInstanceId: isStatic ? host.name : undefined,
      sessionTimeoutMs,
      rebalanceTimeoutMs: 2 * sessionTimeoutMs,
      isBatched,
      concurrency,
      maxEvents,
      commitIntervalMs,
      deadLetters: deadLetters && {
        sender: simulatedDeadLetters.sender(life),
        keys: simulatedDeadLetters.keys(life),
        attempts: deadLetters.attempts,
        redrive: hasRedrives ? simulatedDeadLetters.redrives.port(life) : undefined,
      },
      handle: (call) => script.handle(call),
      onVersionGap: (what) => {
        tell(`${life.name} is told of a gap of versions: ${what}`);
        gaps.push(`${life.name}: ${what}`);
      },
      trace: (what) => tell(`${life.name}: ${what}`),
    };
    return startSubscription(plant?.assembly?.(assembly) ?? assembly).then((reader) => {
      readers.push(reader);
      const { control } = reader;
      return plant?.control && control ? { ...reader, control: plant.control(control) } : reader;
    });
  };
  const report = {
    trace: tell,
    started: (life: Life) => checker.started(life.name, sessionTimeoutMs),
    ended: (life: Life) => checker.ended(life.name),
    gaveUp: (life: Life, reason: unknown) => {
      if (!mayGiveUp(reason)) checker.fail(`I8 ${life.name} gave up: ${String(reason)}`);
    },
    stuck: (life: Life) => checker.fail(`I8 ${life.name} did not stop within ${stopWithinMs} ms`),
  };
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => {
    rejections.push(reason);
  };
  process.on('unhandledRejection', onRejection);
  try {
    const hosts = Array.from(
      { length: shape.int(1, 3) },
      (_, index) =>
        new ReaderHost(
          'abc'[index] ?? '?',
          scheduler,
          chance.fork(`host ${index}`),
          assemble,
          report,
        ),
    );
    const faults = plant?.faults ?? chosenFaults(shape);
    // What an offset means in a topic that is about to be made again nobody can say.
    const isSeekable = !faults.includes('make topic again') && !hasRedrives;
    // Events that a batch is handed over in parts for have been begun with it.
    const isPausable = !isBatched || !deadLetters;
    const asked = acts.filter((act) => (act === 'pause partition' ? isPausable : isSeekable));
    const operator = new ReaderOperator({
      ...{ cluster, checker, chance: chance.fork('operator'), trace: tell },
    });
    const nemesis = new ReadersNemesis(
      {
        cluster,
        network: world.network,
        coordinator,
        writer,
        otherWriter,
        hosts,
        operator,
        topic,
        sessionTimeoutMs,
        retentionLimit: (partition) =>
          isRetentionHarsh ? partition.log.highWatermark : coordinator.offsetOf(partition),
        trace: tell,
      },
      chance.fork('nemesis'),
      {
        faults: [...faults, ...asked],
        gapMs: shape.pick([100, 400, 1500]),
        untilMs: activeMs,
      },
    );
    nemesis.start();
    const { redrives } = simulatedDeadLetters;
    const asking = chance.fork('asking');
    const askEvery = (meanMs: number, untilMs: number, ask: () => void): void => {
      scheduler.after(asking.gap(meanMs), () => {
        if (scheduler.nowMs > untilMs) return;
        ask();
        askEvery(meanMs, untilMs, ask);
      });
    };
    const askMs = asking.pick([150, 900]);
    if (hasRedrives) askEvery(askMs, activeMs, () => redrives.askForOne());
    await scheduler.run(activeMs);
    nemesis.healAll();
    // The slow ones are done with their work in time, too.
    handlers = { ...handlers, ms: Math.min(handlers.ms, 5), long: 0 };
    letterBox = { ...letterBox, failures: 0, ms: Math.min(letterBox.ms, 5) };
    if (hasRedrives) {
      areMended = true;
      askEvery(2000, Infinity, () => redrives.askForAll());
    }
    await scheduler.run(activeMs + 20_000, () => writer.isOver && otherWriter?.isOver !== false);
    const unsettled = (): string[] => [
      ...checker.missing(),
      ...checker.progress.uncommitted(),
      ...(hasRedrives ? redrives.waiting() : []).flatMap((letters) =>
        letters.map(({ eid }) => `the letter of ${eid}`),
      ),
    ];
    const isSettled = await scheduler.run(
      scheduler.nowMs + settleWithinMs,
      every(200, scheduler, () => unsettled().length === 0),
    );
    if (!isSettled)
      checker.fail(
        `R4 not settled ${settleWithinMs} ms after the last fault: ${unsettled().slice(0, 6).join(', ')}`,
      );
    for (const host of hosts) {
      host.killGhosts();
      host.retire();
    }
    await scheduler.run(scheduler.nowMs + stopWithinMs + 1, () =>
      hosts.every((host) => !host.isRunning),
    );
    checker.progress.checkGaps({
      retention: readers.reduce((sum, reader) => sum + reader.gaps(), 0),
      versions: gaps,
    });
    for (const reason of rejections)
      checker.fail(`R6 nobody has taken the rejection ${String(reason)}`);
    return {
      seed,
      failures: checker.failures,
      faults: nemesis.bitten,
      events: writer.written + (otherWriter?.written ?? 0),
      handled: checker.handledCount,
      deadLetters: checker.deadLetters.count,
      repeated: checker.repeatedCount,
      virtualMs: scheduler.nowMs,
      steps: scheduler.steps,
      trace,
    };
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

/** Asks only so often: the question is dear. */
function every(ms: number, scheduler: Scheduler, isTrue: () => boolean): () => boolean {
  let nextMs = 0;
  return () => {
    if (scheduler.nowMs < nextMs) return false;
    nextMs = scheduler.nowMs + ms;
    return isTrue();
  };
}

/** Verdicts that a member may come to: a newer process has its instance, its topic is not there when it starts, its dead letters are not taken. */
function mayGiveUp(reason: unknown): boolean {
  return /FENCED|TOPIC_MISSING|DEAD_LETTER_FAILED/.test(
    reason instanceof Error && 'code' in reason ? String(reason.code) : '',
  );
}

/** Some schedules have one kind of fault, some many, one in twelve none: what hides in a crowd shows alone. */
function chosenFaults(chance: Chance): readonly ReadersFault[] {
  if (chance.happens(0.08)) return [];
  if (chance.happens(0.15)) return movingFaults;
  return chance
    .shuffled(readersFaultNames)
    .slice(0, chance.pick([1, 2, 4, 8, readersFaultNames.length]));
}
