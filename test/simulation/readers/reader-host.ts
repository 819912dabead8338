import type { Chance } from '../chance.ts';
import { Life } from '../life.ts';
import type { Scheduler } from '../scheduler.ts';
import type { ReaderControl } from './reader-control.ts';

/** A reader's core that runs in a process. */
export interface RunningReader {
  /** Resolves after `stop`; rejects when it ends otherwise. */
  readonly done: Promise<unknown>;
  stop(): Promise<unknown>;
  /** How often it has told that retention was faster. */
  gaps(): number;
  /** What it may be asked while it runs; a rebuild, nothing. */
  readonly control?: ReaderControl;
}

/** What a host tells the schedule. */
export interface ReaderHostReport {
  trace(what: string): void;
  /** A process has begun; its name is another one each time. */
  started(life: Life): void;
  /** A process is gone, however. */
  ended(life: Life): void;
  /** The reader gave up. */
  gaveUp(life: Life, reason: unknown): void;
  /** A reader was asked to stop and did not in time. */
  stuck(life: Life): void;
}

/** A reader asked to stop must have ended or given up by then. */
export const stopWithinMs = 60_000;

/** One machine with a supervisor: its reader is started again whenever it has ended. */
export class ReaderHost {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #assemble: (life: Life, host: ReaderHost) => Promise<RunningReader>;
  readonly #report: ReaderHostReport;
  #life: Life;
  #running: RunningReader | undefined;
  #isStopping = false;
  #isRetired = false;
  #hasEnded = false;
  #starts = 0;
  /** Processes whose supervisor has given them up, though they are only suspended. */
  readonly #ghosts = new Set<Life>();

  constructor(
    name: string,
    scheduler: Scheduler,
    chance: Chance,
    assemble: (life: Life, host: ReaderHost) => Promise<RunningReader>,
    report: ReaderHostReport,
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

  /** Of the process that runs, once it has begun and until it is asked to stop. */
  get control(): ReaderControl | undefined {
    return this.#isStopping || this.#hasEnded ? undefined : this.#running?.control;
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  /** SIGTERM: stops in order, then the supervisor starts it again. */
  terminate(): void {
    if (this.#hasEnded || this.#isStopping) return;
    const life = this.#life;
    this.#isStopping = true;
    this.#askToStop();
    this.#scheduler.after(stopWithinMs, () => {
      if (this.#life === life && !this.#hasEnded && !life.isDead && !life.isStopped)
        this.#report.stuck(life);
    });
  }

  /** SIGTERM, and no other start. */
  retire(): void {
    this.#isRetired = true;
    this.terminate();
  }

  /** The supervisor takes the suspended process for dead and starts another, which meets the old one when it wakes up. */
  replaceSuspended(): void {
    if (!this.#life.isStopped || this.#hasEnded) return;
    this.#ghosts.add(this.#life);
    this.#report.trace(`${this.#life.name} is taken for dead`);
    this.#life = this.#start();
  }

  /** Suspended processes go on. */
  wake(): void {
    this.#life.continue();
    for (const ghost of this.#ghosts) ghost.continue();
  }

  killGhosts(): void {
    for (const ghost of this.#ghosts) ghost.kill();
  }

  #start(): Life {
    this.#starts += 1;
    const life = new Life(
      `${this.name}.${this.#starts}`,
      this.#scheduler,
      this.#chance.fork(`life ${this.#starts}`),
    );
    this.#life = life;
    this.#running = undefined;
    this.#isStopping = false;
    this.#hasEnded = false;
    this.#report.trace(`${life.name} starts`);
    this.#report.started(life);
    life.onDeath(() => this.#ended(life, 'is killed'));
    this.#assemble(life, this).then(
      (running) => {
        if (life.isDead) return;
        running.done.then(
          () => this.#ended(life, 'has stopped'),
          (reason: unknown) => this.#gaveUp(life, reason),
        );
        if (this.#life !== life) return;
        this.#running = running;
        if (this.#isStopping) this.#askToStop();
      },
      (reason: unknown) => this.#gaveUp(life, reason),
    );
    return life;
  }

  #askToStop(): void {
    const life = this.#life;
    this.#report.trace(`${life.name} is asked to stop`);
    // What goes wrong is told by `done`, too.
    this.#running
      ?.stop()
      .catch((reason: unknown) => this.#report.trace(`${life.name} stops with ${String(reason)}`));
  }

  #gaveUp(life: Life, reason: unknown): void {
    if (life.isDead) return;
    this.#report.gaveUp(life, reason);
    this.#ended(life, `gives up: ${String(reason)}`);
  }

  #ended(life: Life, how: string): void {
    if (this.#ghosts.delete(life)) {
      this.#report.trace(`${life.name}, a ghost, ${how}`);
      life.kill();
      this.#report.ended(life);
      return;
    }
    if (this.#life !== life || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#report.trace(`${life.name} ${how}`);
    life.kill();
    this.#report.ended(life);
    if (this.#isRetired) return;
    const isLong = this.#chance.happens(0.2);
    this.#scheduler.after(this.#chance.between(10, isLong ? 12_000 : 1500), () => {
      if (!this.#isRetired) this.#start();
    });
  }
}
