import { createLogger, type SlotHealth } from '@outbound/service-kit';
import { Registry } from 'prom-client';
import { RelayError } from '../../services/relay/src/errors.ts';
import { createRelayMetrics } from '../../services/relay/src/metrics.ts';
import { observers } from '../../services/relay/src/observers.ts';
import { Readiness } from '../../services/relay/src/readiness.ts';
import type { RelayObserver } from '../../services/relay/src/relay-observer.ts';
import { monitorSlot, slotReadiness } from '../../services/relay/src/slot-monitor.ts';
import type { SlotQuestion } from '../../services/relay/src/wal/slot-question.ts';
import type { Chance } from './chance.ts';
import type { Life } from './life.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';

/** What one relay says of itself at a moment. */
export interface SaidHealth {
  readonly isStandby: boolean;
  /** How often its state has changed. */
  readonly states: number;
  readonly relay: boolean;
  readonly kafka: boolean;
  readonly slot: boolean;
  /** `relay_wal_lag_bytes`. */
  readonly lagBytes: number | undefined;
  /** `relay_last_delivery_timestamp_seconds`, in ms; undefined where there is none. */
  readonly lastDeliveryMs: number | undefined;
  readonly detail: string;
}

const logger = createLogger({ service: 'simulation', level: 'fatal', write: () => undefined });
const noAnswerMs = 2000;

/** The relay's own readiness, metrics and slot monitor within one life, as `main.ts` wires them. */
export class RelayHealth {
  readonly #life: Life;
  readonly #readiness: Readiness;
  readonly #registry = new Registry();
  readonly observer: RelayObserver;
  #states = 0;
  #verdict: Parameters<typeof slotReadiness>[0];
  /** When brokers last confirmed something to this life, by its own clock. */
  confirmedMs: number | undefined;

  constructor(
    life: Life,
    postgres: SimulatedPostgres,
    chance: Chance,
    change: (question: SlotQuestion) => SlotQuestion,
    onBroken: (thrown: unknown) => void,
  ) {
    this.#life = life;
    const nowMs = (): number => life.clock.nowMs();
    this.#readiness = new Readiness(nowMs);
    const metrics = createRelayMetrics(this.#registry, () => life.clock.wallMs(), nowMs);
    this.observer = observers(this.#readiness.observer, metrics.observer, {
      stateChanged: () => {
        this.#states += 1;
      },
    });
    const never = new AbortController().signal;
    // Ends with its life: the clock of a dead process wakes nobody.
    monitorSlot(
      {
        question: change(simulatedQuestion(life, postgres, chance)),
        slot: 'outbound',
        budget: { warnBytes: undefined, alarmBytes: undefined },
        clock: life.clock,
        logger,
        onVerdict: (verdict) => {
          this.#verdict = verdict;
          metrics.slot(verdict);
        },
      },
      never,
    ).catch(onBroken);
  }

  kafkaAsked(error: RelayError | undefined): void {
    this.#readiness.kafkaAsked(error);
  }

  serverSilent(silentMs: number | undefined): void {
    this.#readiness.serverSilent(silentMs);
  }

  /** Brokers have confirmed records to this process, or a transaction of it, just now. */
  confirmed(): void {
    // The furthest: the clock may be set back.
    this.confirmedMs = Math.max(this.confirmedMs ?? -Infinity, this.#life.clock.wallMs());
  }

  get isReady(): boolean {
    const { relay, kafka } = this.#readiness;
    return relay.ok && kafka.ok && slotReadiness(this.#verdict, this.#readiness).ok;
  }

  async said(): Promise<SaidHealth> {
    const { relay, kafka, isStandby } = this.#readiness;
    const slot = slotReadiness(this.#verdict, this.#readiness);
    const delivered = await this.#metric('relay_last_delivery_timestamp_seconds');
    return {
      isStandby,
      states: this.#states,
      relay: relay.ok,
      kafka: kafka.ok,
      slot: slot.ok,
      lagBytes: await this.#metric('relay_wal_lag_bytes'),
      lastDeliveryMs: delivered === undefined ? undefined : delivered * 1000,
      detail: `relay: ${relay.detail}; kafka: ${kafka.detail}; slot: ${slot.detail}`,
    };
  }

  async #metric(name: string): Promise<number | undefined> {
    const values = (await this.#registry.getSingleMetric(name)?.get())?.values;
    return values?.[0]?.value;
  }
}

/** As the server answers on a connection of its own; one that is down does not answer. */
function simulatedQuestion(life: Life, postgres: SimulatedPostgres, chance: Chance): SlotQuestion {
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        postgres.scheduler.after(chance.between(0.2, 10), () => {
          const { isUp } = postgres;
          const health = healthOf(postgres);
          const error = new RelayError('SOURCE_CONNECTION_LOST', 'the server does not answer');
          life.after(
            isUp ? chance.between(0.2, 10) : noAnswerMs,
            () => (isUp ? resolve(health) : reject(error)),
            'postgres',
          );
        });
      }),
    close: () => undefined,
  };
}

function healthOf({ slot, holder, confirmedLsn, log }: SimulatedPostgres): SlotHealth | undefined {
  if (slot === 'dropped') return undefined;
  const kept = Number(log.endLsn - confirmedLsn);
  const lagBytes = Math.max(0, kept);
  return {
    walStatus: slot === 'lost' ? 'lost' : 'reserved',
    invalidationReason: slot === 'lost' ? 'wal_removed' : undefined,
    isActive: holder !== undefined,
    confirmedFlushLsn: undefined,
    restartLsn: undefined,
    writtenBytes: Number(log.endLsn),
    lagBytes,
    retainedBytes: lagBytes,
    safeBytes: undefined,
    limitBytes: undefined,
    isAhead: false,
    catalogXminAge: undefined,
    idleSeconds: undefined,
    idleLimitSeconds: undefined,
    oldest: undefined,
  };
}
