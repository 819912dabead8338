import { lsnToText } from '../../services/relay/src/wal/lsn.ts';
import { firstReservedEpoch } from '@outbound/kafka';
import { deadLetterTopics } from '@outbound/contract';
import type { ConfirmedObservation } from '../history/history.ts';
import { checkHistory, type Verdict } from '../history/history-checker.ts';
import { Chance } from './chance.ts';
import { DuplicateLedger } from './duplicate-ledger.ts';
import { HealthWatch } from './health-watch.ts';
import { healthBounds } from './health-judge.ts';
import { toRelayError } from '../../services/relay/src/errors.ts';
import { SlotLoss } from './slot-loss.ts';
import { faultsOf, forTransactions, plotOf, type Plot } from './plots.ts';
import { Nemesis } from './nemesis.ts';
import { changeLimit, poisonOf, smallBatchBytes } from './poison-plan.ts';
import { foreignRecord, lostBehindNew, publishedRecords } from './published-records.ts';
import { DatabaseCopies } from './database-copies.ts';
import { RelayHost, stopWithinMs } from './relay-host.ts';
import { Scheduler } from './scheduler.ts';
import { kafkasLastEpoch } from './simulated-coordinator.ts';
import { SimulatedKafka } from './simulated-kafka.ts';
import { SimulatedPostgres } from './simulated-postgres.ts';
import { Operator } from './operator.ts';
import { acknowledgedEarly } from './parked-checker.ts';
import { relayAssembly, type Plant } from './relay-assembly.ts';
import { isDeadLetterLane } from './simulated-publisher.ts';
import { itemChange, itemChangeNext, Workload } from './workload.ts';

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

/** Everything must be delivered and confirmed this long after the last fault has healed (I8). */
const settleWithinMs = 120_000;

/** How many of a plot's schedules have poison. */
const poisonShares: ReadonlyMap<Plot, number> = new Map([
  ['any', 0.35],
  ['takeover', 0.35],
  ['poison', 1],
]);

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
  const maxInFlightBytes = shape.pick([6000, 40_000, 1_000_000]);
  const plot = plotOf(seed, shape);
  const isTakeover = plot === 'takeover' || plot === 'epochs';
  const isHealth = plot === 'health';
  const isSlow = plot === 'sleep' || isHealth;
  const activeMs = isSlow ? shape.between(40_000, 70_000) : shape.between(3000, 12_000);
  const routes = itemChange.routes;
  const poison = poisonOf(chance.fork('poison'), poisonShares.get(plot) ?? 0);
  const deadLetters = deadLetterTopics('sim.');
  const { deadLetters: letters, parkedKeys } = deadLetters;

  const kafka = new SimulatedKafka(scheduler, chance.fork('kafka'), [
    ...routes,
    ...(poison ? [letters, parkedKeys] : []),
  ]);
  // Sometimes a topic takes less than a batch may have, but always more than a record.
  kafka.maxBatchBytes = chance.fork('topics').pick([Infinity, Infinity, 5000]);
  if (poison) kafka.maxBatchBytes = poison.oversize > 0 ? smallBatchBytes : Infinity;
  kafka.isRoomy = isDeadLetterLane;
  const confirmed: ConfirmedObservation[] = [];
  const postgres = new SimulatedPostgres(scheduler, chance.fork('postgres'), (confirmedLsn) => {
    tell(`the slot confirms ${lsnToText(confirmedLsn)}`);
    confirmed.push({ confirmedLsn, endOffsets: kafka.endOffsets() });
  });
  const duplicates = new DuplicateLedger();
  const watch = new HealthWatch();
  const epochs = chance.fork('epochs');
  // Some begin where their producer id ends soon: sooner than Kafka's, so that what is late then finds its successor writing.
  if (epochs.happens(plot === 'epochs' ? 1 : 0.3)) {
    const sooner = firstReservedEpoch + 5;
    const last = epochs.pick([sooner, sooner, sooner, kafkasLastEpoch]);
    const end = epochs.pick([firstReservedEpoch - 1, firstReservedEpoch - 1, last]);
    kafka.coordinator.epochs = { first: end - epochs.int(0, 2), last };
  }
  kafka.coordinator.abortRaises = epochs.pick([1, 2]);
  kafka.onAppended = (lane, session, count) => {
    tell(`${lane} takes ${count} records of session ${session}`);
    if (!isDeadLetterLane(lane)) duplicates.appended(lane, session, count);
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
  const assemble = relayAssembly({
    chance,
    shape,
    scheduler,
    kafka,
    postgres,
    duplicates,
    watch,
    poison,
    deadLetters,
    maxInFlightBytes,
    plant,
    isExact,
    hasGoneBack: () => copies.broughtBack > 0,
    tell,
    fail: (failure) => failures.push(failure),
  });
  const report = {
    trace: tell,
    halted: (thrown: unknown) => {
      if (!slotLoss.asksFor(toRelayError(thrown).code))
        failures.push(`I8 the relay halted: ${String(thrown)}`);
    },
    stuck: () => failures.push(`I8 a relay did not stop within ${stopWithinMs} ms`),
  };
  const slow = chance.fork('slow').pick([0, 0, 0, 0, 0, 0, 0, 2]);
  // One that is replaced while the server decodes makes it begin again.
  if (slow > 0) kafka.renewWithinMs = [600_000, 900_000];
  const hosts = Array.from(
    { length: isTakeover || plot === 'sleep' ? 2 : shape.int(1, 2) },
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
    gapMs: isSlow ? shape.pick([2000, 5000]) : shape.pick([80, 200, 600]),
    large: shape.pick([0, 0.03, 0.1]),
    unknown: poison?.unknown ?? 0,
    oversize: poison?.oversize ?? 0,
    slow,
    untilMs: activeMs,
  });
  watch.start({ postgres, kafka, hosts, isExact: delivery === 'exactly-once' }, (failure) =>
    failures.push(failure),
  );
  const slotLoss = new SlotLoss(postgres, kafka, workload);
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
      faults: delivery ? forTransactions(plot, faultsOf(plot, shape)) : faultsOf(plot, shape),
      gapMs: isSlow ? shape.pick([5000, 15_000]) : shape.pick([300, 1000, 3000]),
      untilMs: activeMs,
      stretch: isHealth ? 4 : 1,
    },
  );
  const operator = new Operator({ kafka, postgres }, chance.fork('operator'), deadLetters);
  if (poison) operator.start(activeMs);
  workload.start();
  nemesis.start();
  const limit = chance.fork('limit');
  if (poison && poison.oversize > 0 && limit.happens(0.5)) changeLimit(kafka, limit, activeMs);
  if (plot === 'slot') {
    const loss = chance.fork('slot loss');
    await scheduler.run(loss.between(500, activeMs));
    tell('the slot is gone');
    slotLoss.lose(loss.pick(['dropped', 'lost']));
    await scheduler.run(scheduler.nowMs + loss.between(100, 8000));
    if (!postgres.isUp) postgres.start();
    tell('somebody recovers');
    slotLoss.recover();
  }
  await scheduler.run(activeMs);
  nemesis.healAll();
  // A commit that is lost is a fault, too, and costs a session. Where one in thirty goes on being lost while the server decodes for 13 s in silence for each session
  // (`slow`), which begins with every one of them again, a backlog of some hundred batches takes minutes: seed exactly-once-66, whose relay does what it should.
  kafka.coordinator.isPunctual = true;
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
  if (plot === 'slot' && isSettled) {
    slotLoss.lose('dropped');
    if (!(await scheduler.run(scheduler.nowMs + 30_000, () => slotLoss.halts > 0)))
      failures.push('I8 the slot is gone, and no relay halts for it');
    slotLoss.recover();
    isSettled = await settle();
  }
  if (!isSettled)
    failures.push(
      `I8 not settled ${settleWithinMs} ms after the last fault: the slot is at ${lsnToText(postgres.confirmedLsn)}, the log at ${lsnToText(postgres.log.endLsn)}`,
    );
  // What still hangs about in the network arrives now, or never.
  await scheduler.run(scheduler.nowMs + 13_000);
  const { wellMs } = healthBounds;
  if (isSettled && !(await scheduler.run(scheduler.nowMs + wellMs, () => watch.areReady(hosts))))
    failures.push(`I11 all has been well for ${wellMs} ms, and not every relay is ready`);
  for (const host of hosts) host.retire();
  await scheduler.run(scheduler.nowMs + stopWithinMs + 1, () =>
    hosts.every((host) => !host.isRunning),
  );

  failures.push(...lostBehindNew(kafka, workload));
  for (const lane of kafka.strays)
    failures.push(`I1 ${lane} took records of a transaction that is not over it, and never ends`);
  // Who finds that the database was brought back publishes everything again from the slot's position.
  // What one topic or one relay has taken, and another one parks, comes again, too.
  // So does what is written again where the slot was gone.
  const isUnbounded =
    copies.broughtBack > 0 || poison !== undefined || slotLoss.losses > 0 || delivery === 'mixed';
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
