import type { DeadLetterTopics } from '@outbound/contract';
import { noFailPoint } from '../../services/relay/src/fail-points.ts';
import { observers } from '../../services/relay/src/observers.ts';
import type { RelayParts } from '../../services/relay/src/relay-parts.ts';
import type { SlotQuestion } from '../../services/relay/src/wal/slot-question.ts';
import { defaultOutboxTable } from '../../services/relay/src/wal/outbox-table.ts';
import type { Chance } from './chance.ts';
import type { DuplicateLedger } from './duplicate-ledger.ts';
import type { HealthWatch } from './health-watch.ts';
import type { Life } from './life.ts';
import { MemoryLedger } from './memory-ledger.ts';
import { PgoutputEncoder } from './pgoutput-encoder.ts';
import { known, type Poison } from './poison-plan.ts';
import { RelayHealth } from './relay-health.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';
import { SimulatedPublisher, type SimulatedPublisherOptions } from './simulated-publisher.ts';
import { SimulatedSource } from './simulated-source.ts';
import type { SimulatedStreamOptions } from './simulated-stream-options.ts';
import { largestPayloadBytes } from './workload.ts';

/** How a schedule departs from the production assembly: only to plant a bug and see it found. */
export interface Plant {
  readonly name: string;
  /** Replaces parts of the assembly. */
  readonly parts?: (parts: RelayParts, life: Life) => RelayParts;
  readonly publisher?: Partial<SimulatedPublisherOptions>;
  readonly source?: Partial<SimulatedStreamOptions>;
  /** What the relay makes of the server's answer about the slot. */
  readonly slotQuestion?: (question: SlotQuestion) => SlotQuestion;
}

/** What a relay of a schedule is put into. */
export interface RelaySurroundings {
  readonly chance: Chance;
  readonly shape: Chance;
  readonly scheduler: Scheduler;
  readonly kafka: SimulatedKafka;
  readonly postgres: SimulatedPostgres;
  readonly duplicates: DuplicateLedger;
  /** Is given what each relay says of itself. */
  readonly watch: HealthWatch;
  readonly poison: Poison | undefined;
  readonly deadLetters: DeadLetterTopics;
  readonly maxInFlightBytes: number;
  readonly plant: Plant | undefined;
  /** Whether the relay that starts now delivers exactly once. */
  readonly isExact: () => boolean;
  /** Whether the database was brought back. */
  readonly hasGoneBack: () => boolean;
  readonly tell: (what: string) => void;
  /** A promise is broken. */
  readonly fail: (failure: string) => void;
}

/** The production core over simulated parts, watched: made anew for each life of a relay. */
export function relayAssembly(around: RelaySurroundings): (life: Life) => RelayParts {
  const { chance, shape, scheduler, kafka, postgres, duplicates, poison, deadLetters } = around;
  const { watch, maxInFlightBytes, plant, isExact, hasGoneBack, tell, fail } = around;
  const encoder = new PgoutputEncoder();
  return (life) => {
    // What goes to the dead letters is not what the ledger counts by.
    const limit = poison ? Infinity : maxInFlightBytes;
    const memory = new MemoryLedger(limit, largestPayloadBytes, (what) =>
      fail(`I9 ${life.name}: ${what}`),
    );
    const health = new RelayHealth(
      life,
      postgres,
      chance.fork(`health ${life.name} ${scheduler.nowMs}`),
      plant?.slotQuestion ?? ((question) => question),
      (thrown) => fail(`I11 ${life.name}: its slot monitor has ended: ${String(thrown)}`),
    );
    watch.add(life, health);
    const parts: RelayParts = {
      source: new SimulatedSource({
        postgres,
        life,
        encoder,
        memory,
        onSilence: (silentMs) => health.serverSilent(silentMs),
        ...plant?.source,
      }),
      publisher: new SimulatedPublisher({
        kafka,
        life,
        parkedKeys: poison && deadLetters.parkedKeys,
        delivery: isExact() ? 'exactly-once' : 'at-least-once',
        onTailRead: (lane, session, isKnown, hidden) =>
          duplicates.tailRead(lane, session, isKnown, hidden),
        onAsked: (error) => health.kafkaAsked(error),
        onConfirmed: () => health.confirmed(),
        onWaiting: (error, attempt, lanes) => parts.observer.sendFailed(error, attempt, lanes),
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
      observer: observers(memory.observer, health.observer, {
        stateChanged: (state) => tell(`${life.name} is ${state}`),
        sessionEnded: (error) => tell(`${life.name}: session ended: ${error?.message ?? 'well'}`),
        sendFailed: (error) => tell(`${life.name}: ${error.code} ${error.message}`),
        tailsRefuted: (refuted) => {
          tell(`${life.name}: ${refuted.length} tails are refuted`);
          if (!hasGoneBack())
            fail(`I11 ${life.name} says of ${refuted[0]?.lane} that the database went back`);
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
}
