import type { Life } from './life.ts';
import { HealthJudge } from './health-judge.ts';
import type { RelayHealth } from './relay-health.ts';
import type { RelayHost } from './relay-host.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';

const everyMs = 500;

interface World {
  readonly postgres: SimulatedPostgres;
  readonly kafka: SimulatedKafka;
  readonly hosts: readonly RelayHost[];
  /** Every relay delivers in transactions. */
  readonly isExact: boolean;
}

/** Asks every relay twice a second how it is, and tells what is not true (I11). */
export class HealthWatch {
  readonly #healths = new Map<Life, RelayHealth>();
  #looks = 0;

  get looks(): number {
    return this.#looks;
  }

  add(life: Life, health: RelayHealth): void {
    this.#healths.set(life, health);
  }

  /** `fail` is told of the first untruth. */
  start(world: World, fail: (failure: string) => void): void {
    const judge = new HealthJudge(world);
    const { scheduler } = world.postgres;
    const look = async (): Promise<void> => {
      for (const { life } of world.hosts) {
        const health = this.#healths.get(life);
        if (!health) continue;
        this.#looks += 1;
        const [wrong] = judge.judge(life, await health.said(), health.confirmedMs);
        if (wrong === undefined) continue;
        stop();
        return fail(wrong);
      }
    };
    let isOver = false;
    const stop = (): void => {
      isOver = true;
    };
    const next = (): void => {
      scheduler.after(everyMs, () => {
        if (isOver) return;
        look().catch((thrown: unknown) => fail(`the look itself: ${String(thrown)}`));
        next();
      });
    };
    next();
  }

  /** Whether all of these relays run and say that they are ready. */
  areReady(hosts: readonly RelayHost[]): boolean {
    return hosts.every(
      ({ isRunning, life }) => isRunning && this.#healths.get(life)?.isReady === true,
    );
  }
}
