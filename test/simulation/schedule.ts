import { defaultOutboxTable } from '../../services/relay/src/wal/outbox-table.ts';
import { noFailPoint } from '../../services/relay/src/fail-points.ts';
import { observers } from '../../services/relay/src/observers.ts';
import type { RelayParts } from '../../services/relay/src/relay-parts.ts';
import { lsnToText } from '../../services/relay/src/wal/lsn.ts';
import { deadLetterTopics } from '@outbound/schemas';
import type { ConfirmedObservation } from '../history/history.ts';
import { checkHistory, type Verdict } from '../history/history-checker.ts';
import { Chance } from './chance.ts';
import { DuplicateLedger } from './duplicate-ledger.ts';
import type { Life } from './life.ts';
import { MemoryLedger } from './memory-ledger.ts';
import {
  faultNames,
  repetitionFaults,
  restoreFaults,
  takeoverFaults,
  type FaultName,
} from './fault-names.ts';
import { Nemesis } from './nemesis.ts';
import { known, poisonOf } from './poison-plan.ts';
import { foreignRecord, lostBehindNew, publishedRecords } from './published-records.ts';
import { DatabaseCopies } from './database-copies.ts';
import { PgoutputEncoder } from './pgoutput-encoder.ts';
import { RelayHost, stopWithinMs } from './relay-host.ts';
import { Scheduler } from './scheduler.ts';
import { SimulatedKafka } from './simulated-kafka.ts';
import { SimulatedPostgres } from './simulated-postgres.ts';
import { Operator } from './operator.ts';
import { acknowledgedEarly } from './parked-checker.ts';
import {
  isDeadLetterLane,
  SimulatedPublisher,
  type SimulatedPublisherOptions,
} from './simulated-publisher.ts';
import { SimulatedSource } from './simulated-source.ts';
import { itemChange, itemChangeNext, largestPayloadBytes, Workload } from './workload.ts';

/** How a schedule departs from the production assembly: only to plant a bug and see it found. */
export interface Plant {
  readonly name: string;
  /** Replaces parts of the assembly. */
  readonly parts?: (parts: RelayParts, life: Life) => RelayParts;
  readonly publisher?: Partial<SimulatedPublisherOptions>;
}

export interface ScheduleOptions {
  readonly plant?: Plant | undefined;
  /** Keeps what happened, with its time. */
  readonly isTraced?: boolean;
  /** How relays deliver; `mixed`: each as it was started. Default: at least once. */
  readonly delivery?: 'exactly-once' | 'mixed' | undefined;
}

export interface ScheduleResult {
  readonly seed: string;
  /** One sentence for each broken promise, its number first; empty if all was well. */
  readonly failures: readonly string[];
  readonly verdict: Verdict;
  readonly faults: number;
  /** Infinite where a tail could not be read, so that everything might come again. */
  readonly allowedDuplicates: number;
  /** How often a copy of the database was brought back. */
  readonly broughtBack: number;
  /** Transactions in which dead letters were written again. */
  readonly redrives: number;
  readonly virtualMs: number;
  readonly steps: number;
  readonly trace: readonly string[];
}

/** What a schedule is about: faults that go badly together, or any. */
const plots = [
  ...Array.from({ length: 14 }, () => 'any' as const),
  ...(['takeover', 'takeover', 'takeover', 'restore', 'restore', 'repetition'] as const),
] as const;

const plotFaults = {
  takeover: takeoverFaults,
  restore: restoreFaults,
  repetition: repetitionFaults,
} as const;

/** Everything must be delivered and confirmed this long after the last fault has healed (I8). */
const settleWithinMs = 120_000;

/** Runs one schedule: production core, simulated world, faults, and the verdict. The seed decides everything. */
export async function runSchedule(
  seed: string,
  { plant, isTraced = false, delivery }: ScheduleOptions = {},
): Promise<ScheduleResult> {
  const chance = new Chance(seed);
  const scheduler = new Scheduler();
  const failures: string[] = [];
  const trace: string[] = [];
  const tell = (what: string): void => {
    if (isTraced) trace.push(`${(scheduler.nowMs / 1000).toFixed(3).padStart(9)} s  ${what}`);
  };
  const shape = chance.fork('shape');
  const activeMs = shape.between(3000, 12_000);
  const maxInFlightBytes = shape.pick([6000, 40_000, 1_000_000]);
  const plot = shape.pick(plots);
  const isTakeover = plot === 'takeover';
  const routes = itemChange.routes;
  const poison = plot === 'any' || isTakeover ? poisonOf(chance.fork('poison')) : undefined;
  const deadLetters = deadLetterTopics('sim.');
  const { deadLetters: letters, parkedKeys } = deadLetters;

  const kafka = new SimulatedKafka(scheduler, chance.fork('kafka'), [
    ...routes,
    ...(poison ? [letters, parkedKeys] : []),
  ]);
  // Sometimes a topic takes less than a batch may have, but always more than a record.
  kafka.maxBatchBytes = chance.fork('topics').pick([Infinity, Infinity, 5000]);
  if (poison) kafka.maxBatchBytes = poison.oversize > 0 ? 5000 : Infinity;
  kafka.isRoomy = isDeadLetterLane;
  const confirmed: ConfirmedObservation[] = [];
  const postgres = new SimulatedPostgres(scheduler, chance.fork('postgres'), (confirmedLsn) => {
    tell(`the slot confirms ${lsnToText(confirmedLsn)}`);
    confirmed.push({ confirmedLsn, endOffsets: kafka.endOffsets() });
  });
  const duplicates = new DuplicateLedger();
  kafka.onAppended = (lane, epoch, count) => {
    tell(`${lane} takes ${count} records of epoch ${epoch}`);
    if (!isDeadLetterLane(lane)) duplicates.appended(lane, epoch, count);
  };
  const foreign = chance.fork('foreign');
  const writeForeign = (): void => {
    const lane = foreign.pick([...kafka.partitions.keys()]);
    kafka.partition(lane).log.appendForeign(foreignRecord(lane, postgres.log.endLsn));
  };
  if (foreign.happens(0.5)) for (let i = 0; i < 6; i += 1) writeForeign();

  const mode = chance.fork('delivery');
  const isExact = (): boolean =>
    delivery === 'exactly-once' || (delivery === 'mixed' && mode.happens(0.5));
  const encoder = new PgoutputEncoder();
  const assemble = (life: Life): RelayParts => {
    // What goes to the dead letters is not what the ledger counts by.
    const limit = poison ? Infinity : maxInFlightBytes;
    const memory = new MemoryLedger(limit, largestPayloadBytes, (what) =>
      failures.push(`I9 ${life.name}: ${what}`),
    );
    const parts: RelayParts = {
      source: new SimulatedSource(postgres, life, encoder, memory),
      publisher: new SimulatedPublisher({
        kafka,
        life,
        parkedKeys: poison && parkedKeys,
        delivery: isExact() ? 'exactly-once' : 'at-least-once',
        onTailRead: (lane, epoch, isKnown) => duplicates.tailRead(lane, epoch, isKnown),
        ...plant?.publisher,
      }),
      eventTypes: known(poison !== undefined && poison.knows()),
      clock: life.clock,
      random: chance.fork(`relay ${life.name} ${scheduler.nowMs}`).unit,
      settings: {
        outbox: defaultOutboxTable,
        limits: {
          recordsPerSend: shape.pick([3, 20, 2000]),
          bytesPerBatch: shape.pick([1500, 900_000]),
        },
        maxInFlightBytes,
        drainMs: 5000,
        stallLimitMs: 3000,
        skipEvents: new Set(),
        deadLetters: poison && deadLetters,
      },
      observer: observers(memory.observer, {
        stateChanged: (state) => tell(`${life.name} is ${state}`),
        sessionEnded: (error) => tell(`${life.name}: session ended: ${error?.message ?? 'well'}`),
        sendFailed: (error) => tell(`${life.name}: ${error.code} ${error.message}`),
        tailsRefuted: (refuted) => {
          tell(`${life.name}: ${refuted.length} tails are refuted`);
          if (copies.broughtBack === 0)
            failures.push(
              `I11 ${life.name} says of ${refuted[0]?.lane} that the database went back`,
            );
        },
        eventParked: ({ eid, version }, reason) =>
          tell(`${life.name} parks ${eid} version ${version}: ${reason?.code ?? 'its key waits'}`),
        letterTaken: ({ eid, version }, way, why) =>
          tell(`${life.name}: letter ${eid} version ${version}: ${way} ${why}`),
      }),
      failPoint: (point) => {
        if (life.act()) return;
        tell(`${life.name} died at ${point}`);
        noFailPoint(point);
      },
    };
    return plant?.parts ? plant.parts(parts, life) : parts;
  };
  const report = {
    trace: tell,
    halted: (thrown: unknown) => failures.push(`I8 the relay halted: ${String(thrown)}`),
    stuck: () => failures.push(`I8 a relay did not stop within ${stopWithinMs} ms`),
  };
  const hosts = Array.from(
    { length: isTakeover ? 2 : shape.int(1, 2) },
    (_, index) =>
      new RelayHost(
        `relay-${'ab'[index] ?? '?'}`,
        scheduler,
        chance.fork(`host ${index}`),
        assemble,
        report,
      ),
  );
  const workload = new Workload(postgres, chance.fork('workload'), {
    // Of many items most are not changed again: what went wrong with them stays to be seen.
    items: plot === 'any' ? shape.int(2, 7) : shape.pick([2, 4, 7, 40]),
    gapMs: shape.pick([80, 200, 600]),
    large: shape.pick([0, 0.03, 0.1]),
    unknown: poison?.unknown ?? 0,
    oversize: poison?.oversize ?? 0,
    untilMs: activeMs,
  });
  const copies = new DatabaseCopies(postgres, workload, chance.fork('copies'), (endLsn) => {
    // What was confirmed beyond the copy's end was of the history that is lost.
    for (const [index, { confirmedLsn, endOffsets }] of confirmed.entries())
      if (confirmedLsn > endLsn) confirmed[index] = { confirmedLsn: endLsn, endOffsets };
  });
  const nemesis = new Nemesis(
    {
      scheduler,
      postgres,
      kafka,
      hosts,
      trace: tell,
      writeForeign,
      copyDatabase: () => copies.take(),
    },
    chance.fork('nemesis'),
    {
      faults: plot === 'any' ? chosenFaults(shape) : plotFaults[plot],
      gapMs: shape.pick([300, 1000, 3000]),
      untilMs: activeMs,
    },
  );
  const operator = new Operator({ kafka, postgres }, chance.fork('operator'), deadLetters);
  if (poison) operator.start(activeMs);
  workload.start();
  nemesis.start();
  await scheduler.run(activeMs);
  nemesis.healAll();
  await scheduler.run(activeMs + 10_000, () => workload.isOver);
  const settle = async (): Promise<boolean> => {
    const isThere = await scheduler.run(
      scheduler.nowMs + settleWithinMs,
      () => postgres.confirmedLsn >= postgres.log.endLsn,
    );
    // A commit is shown to readers a moment after it was confirmed.
    if (delivery) await scheduler.run(scheduler.nowMs + 100);
    return isThere;
  };
  let isSettled = await settle();
  if (poison) {
    // The topics take everything now, and every relay that starts knows every type.
    poison.heal();
    kafka.maxBatchBytes = Infinity;
    for (const host of hosts) host.terminate();
    for (let round = 0; operator.parked().size > 0 && round < 20; round += 1) {
      await scheduler.run(scheduler.nowMs + 5000);
      operator.redrive(true);
      isSettled = await settle();
    }
    if (operator.parked().size > 0) failures.push('I8 keys are parked for ever');
  }
  if (!isSettled)
    failures.push(
      `I8 not settled ${settleWithinMs} ms after the last fault: the slot is at ${lsnToText(postgres.confirmedLsn)}, the log at ${lsnToText(postgres.log.endLsn)}`,
    );
  // What still hangs about in the network arrives now, or never.
  await scheduler.run(scheduler.nowMs + 13_000);
  for (const host of hosts) host.retire();
  await scheduler.run(scheduler.nowMs + stopWithinMs + 1, () =>
    hosts.every((host) => !host.isRunning),
  );

  failures.push(...lostBehindNew(kafka, workload));
  // Who finds that the database was brought back publishes everything again from the slot's position.
  // What one topic or one relay has taken, and another one parks, comes again, too.
  const isUnbounded = copies.broughtBack > 0 || poison !== undefined || delivery === 'mixed';
  const mayRepeat = delivery === 'exactly-once' ? 0 : duplicates.allowed;
  const allowedDuplicates = isUnbounded ? Infinity : mayRepeat;
  const verdict = checkHistory({
    routes: new Map([itemChange, itemChangeNext].map(({ name }) => [name, routes])),
    allowedDuplicates,
    committed: workload.committed,
    rolledBack: workload.rolledBack,
    records: publishedRecords(kafka, workload.lost),
    // What is in the dead letters may be acknowledged: judged below.
    confirmed: poison ? [] : confirmed,
    finalRows: workload.finalRows(),
  });
  if (poison)
    failures.push(...acknowledgedEarly(workload.committed, confirmed, kafka, letters.topic));
  for (const { promise, sentence } of verdict.violations) failures.push(`${promise} ${sentence}`);
  return {
    seed,
    failures,
    verdict,
    faults: nemesis.bitten,
    allowedDuplicates,
    broughtBack: copies.broughtBack,
    redrives: operator.rounds,
    virtualMs: scheduler.nowMs,
    steps: scheduler.steps,
    trace,
  };
}

/** Some schedules have one kind of fault, some many, one in ten none: what hides in a crowd shows alone. */
function chosenFaults(chance: Chance): readonly FaultName[] {
  if (chance.happens(0.1)) return [];
  return chance.shuffled(faultNames).slice(0, chance.pick([1, 2, 4, 8, faultNames.length]));
}
