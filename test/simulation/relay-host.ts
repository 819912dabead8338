import type { RelayParts } from '../../services/relay/src/relay-parts.ts';
import { runRelay } from '../../services/relay/src/relay.ts';
import type { Chance } from './chance.ts';
import { Life } from './life.ts';
import type { Scheduler } from './scheduler.ts';

/** What a host tells the schedule. */
export interface HostReport {
  trace(what: string): void;
  /** The relay stopped for a person, which no fault of the simulation asks for. */
  halted(reason: unknown): void;
  /** A relay was asked to stop and did not in time. */
  stuck(): void;
}

/** A relay asked to stop must have drained or given up by then. */
export const stopWithinMs = 30_000;

/** One machine with a supervisor: its relay is started again whenever it has ended. */
export class RelayHost {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #assemble: (life: Life) => RelayParts;
  readonly #report: HostReport;
  #life: Life;
  #stop = new AbortController();
  #isRetired = false;
  #isRunning = false;

  constructor(
    name: string,
    scheduler: Scheduler,
    chance: Chance,
    assemble: (life: Life) => RelayParts,
    report: HostReport,
  ) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.#assemble = assemble;
    this.#report = report;
    this.#life = this.#start();
  }

  get life(): Life {
    return this.#life;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** SIGTERM: stops in order, then the supervisor starts it again. */
  terminate(): void {
    const life = this.#life;
    this.#stop.abort();
    this.#scheduler.after(stopWithinMs, () => {
      if (this.#life === life && this.#isRunning && !life.isDead && !life.isStopped)
        this.#report.stuck();
    });
  }

  /** SIGTERM, and no other start. */
  retire(): void {
    this.#isRetired = true;
    this.terminate();
  }

  #start(): Life {
    const life = new Life(this.name, this.#scheduler, this.#chance);
    this.#life = life;
    this.#stop = new AbortController();
    this.#isRunning = true;
    this.#report.trace(`${this.name} starts`);
    life.onDeath(() => this.#ended(life, 'is killed'));
    runRelay(this.#assemble(life), this.#stop.signal).then(
      () => {
        if (!life.isDead) this.#ended(life, 'has stopped');
      },
      (thrown: unknown) => {
        if (life.isDead) return;
        this.#report.halted(thrown);
        this.#ended(life, `halts: ${String(thrown)}`);
      },
    );
    return life;
  }

  #ended(life: Life, how: string): void {
    if (this.#life !== life || !this.#isRunning) return;
    this.#isRunning = false;
    this.#report.trace(`${this.name} ${how}`);
    life.kill();
    if (this.#isRetired) return;
    this.#scheduler.after(this.#chance.between(10, 1500), () => {
      if (!this.#isRetired) this.#start();
    });
  }
}
