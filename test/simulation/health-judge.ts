import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import type { Life } from './life.ts';
import type { SaidHealth } from './relay-health.ts';
import type { RelayHost } from './relay-host.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';
import { walSenderTimeoutMs } from './wal-sender.ts';

/**
 * For how long something may be wrong before readiness has to say so. Each is the sum of what the relay waits for at the most, in the
 * times of this world; docs of the real ones: `sessionTiming`, `liveness.ts`, `slot-monitor.ts`, `relay.ts`.
 */
export const healthBounds = {
  /** A question while idle (2 s), without answer (2.5 s), or the opening of the next session in between (2.5 s). */
  brokersMs: 7500,
  /** From when it began to read: two silent timeouts of the server, a look each second, and a question (2 s) whether the sender is still there. */
  connectionMs: 2 * walSenderTimeoutMs + 4000,
  /** A standby asks each 0.75 to 1.25 s. */
  standbyMs: 2500,
  /** The slot is asked about every 5 s, and no answer takes 2 s. */
  slotMs: 8500,
  /** A send fails, or its request goes without answer. */
  laneMs: 10_000,
  /** The longest pause before the next session (10 s), a standby's turn, the opening of both sides. */
  wellMs: 30_000,
} as const;

interface World {
  readonly postgres: SimulatedPostgres;
  readonly kafka: SimulatedKafka;
  readonly hosts: readonly RelayHost[];
  /** Every relay delivers in transactions. */
  readonly isExact: boolean;
}

/** Since when something holds without a break. */
class Since {
  readonly #since = new Map<string, { readonly mark: number; readonly sinceMs: number }>();

  /** For how long `name` has been true now. Another `mark` than before: there was a break that no look has seen. */
  ms(name: string, isTrue: boolean, mark: number, nowMs: number): number {
    const known = this.#since.get(name);
    if (!isTrue) this.#since.delete(name);
    else if (known?.mark === mark) return nowMs - known.sinceMs;
    else this.#since.set(name, { mark, sinceMs: nowMs });
    return 0;
  }
}

/** I11: compares what a relay says of itself with what is true in the world, and has been for longer than it may take to notice. */
export class HealthJudge {
  readonly #world: World;
  readonly #since = new WeakMap<Life, Since>();
  #waits: { readonly log: unknown; readonly lsn: Lsn; readonly sinceMs: number } | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** What is said wrongly at this moment. Called at every look, so that it knows since when what holds. */
  judge(life: Life, said: SaidHealth, confirmedMs: number | undefined): string[] {
    const { postgres, kafka, isExact } = this.#world;
    const { nowMs } = postgres.scheduler;
    const waitsMs = this.#commitWaitsMs();
    if (life.isStopped || life.isDead) {
      this.#since.delete(life);
      return [];
    }
    const since = this.#since.get(life) ?? new Since();
    this.#since.set(life, since);
    const forMs = (name: string, isTrue: boolean, mark = 0): number =>
      since.ms(name, isTrue, mark, nowMs);

    const { holder } = postgres;
    const isOurs = holder?.life === life && !holder.isDead && !holder.isBlackholed;
    const isBusy = holder?.life === life && holder.activity?.waitEventType === null;
    const isReady = said.relay && said.kafka && said.slot;
    const isDown = !postgres.isUp || postgres.isStandby;
    const isFree = !holder && !isDown && postgres.slot === 'there';
    const cannotReach = !kafka.hasLivingBroker || kafka.cutOff.has(life);
    const hasStuckLane = [...kafka.partitions.values()].some(({ hasReplicas }) => !hasReplicas);

    const awakeMs = forMs('awake', true);
    const ofBrokers = forMs('no broker', cannotReach, kafka.heals);
    const ofConnection = forMs('not ours', !isOurs && !isBusy);
    const ofHold = forMs('ours', isOurs && !isBusy);
    const ofStreaming = forMs('streaming', said.relay && !said.isStandby, said.states);
    const ofStandby = forMs('standby', said.relay && said.isStandby, said.states);
    const ofFree = Math.min(ofStandby, forMs('free', isFree, postgres.turns));
    const ofDown = Math.min(ofStandby, forMs('down', isDown, postgres.turns));
    const ofSilence = forMs('no server', !postgres.isUp, postgres.turns);
    const ofGone = forMs('no slot', postgres.slot !== 'there', postgres.turns);
    const ofLane = forMs('stuck lane', hasStuckLane);
    const ofCoordinator = forMs('no coordinator', isExact && kafka.isCoordinatorAway);

    const b = healthBounds;
    const wrong: [boolean, string][] = [
      [
        said.kafka && !said.isStandby && ofBrokers > b.brokersMs,
        `Kafka is well, and no broker could be reached for ${ofBrokers} ms`,
      ],
      [
        isReady && Math.min(ofConnection, ofStreaming) > b.connectionMs,
        `it is well, and has had no connection to the slot for ${ofConnection} ms`,
      ],
      [ofFree > b.standbyMs, `it is a standby, and nobody has had the slot for ${ofFree} ms`],
      [
        ofDown > b.standbyMs,
        `it is a ready standby, and there has been no primary for ${ofDown} ms`,
      ],
      [
        said.slot && ofSilence > b.slotMs,
        `the slot is well, and the server has been down for ${ofSilence} ms`,
      ],
      [said.slot && ofGone > b.slotMs, `the slot is well, and has been gone for ${ofGone} ms`],
      [
        isReady && Math.min(waitsMs, ofLane, ofHold, ofStreaming) > b.laneMs,
        `all is well, and a partition has taken nothing for ${ofLane} ms while a commit waits`,
      ],
      [
        isReady && Math.min(waitsMs, ofCoordinator, ofHold, ofStreaming) > b.laneMs,
        `all is well, and the coordinator of transactions has been away for ${ofCoordinator} ms while a commit waits`,
      ],
      [
        said.lagBytes === 0 && Math.min(waitsMs, awakeMs) > b.slotMs,
        `nothing lags, and a commit has waited for ${waitsMs} ms`,
      ],
      ...deliveryWrong(said, confirmedMs),
    ];
    return wrong
      .filter(([isWrong]) => isWrong)
      .map(([, what]) => `I11 ${life.name} says that ${what} (${said.detail})`);
  }

  /** For how long the same commit has not been confirmed. */
  #commitWaitsMs(): number {
    const { log, confirmedLsn, scheduler } = this.#world.postgres;
    const { nowMs } = scheduler;
    const waits = this.#waits;
    if (waits && waits.log === log && waits.lsn > confirmedLsn) return nowMs - waits.sinceMs;
    const lsn = log.lastCommitEndLsn;
    this.#waits = lsn > confirmedLsn ? { log, lsn, sinceMs: nowMs } : undefined;
    return 0;
  }
}

function deliveryWrong(
  { lastDeliveryMs }: SaidHealth,
  confirmedMs: number | undefined,
): [boolean, string][] {
  // Floating point on the way through seconds.
  const isYounger = (lastDeliveryMs ?? 0) > (confirmedMs ?? 0) + 0.01;
  return [
    [
      lastDeliveryMs !== undefined && confirmedMs === undefined,
      `it has delivered at ${lastDeliveryMs}, and no broker has confirmed anything to it`,
    ],
    [
      lastDeliveryMs !== undefined && confirmedMs !== undefined && isYounger,
      `it has delivered at ${lastDeliveryMs}, and brokers have confirmed nothing after ${confirmedMs}`,
    ],
  ];
}
