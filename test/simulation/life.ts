import type { Clock } from '@outbound/service-kit';
import type { Chance } from './chance.ts';
import type { Scheduler, Timer } from './scheduler.ts';

/** Where something comes from: what comes from one place stays in order, what comes from two may change places. */
export type Channel = 'timer' | 'postgres' | 'kafka' | `kafka ${string}`;

/** 1 January 2026, when every schedule begins. */
export const beginningMs = 1_767_225_600_000;

/**
 * The life of one operating-system process. Everything that reaches the code inside goes through `deliver` and everything that it
 * does to the outside through `act`, so that it can be killed between any two of them (nothing goes in or out any more; what is
 * under way stays under way) or stopped for a while (SIGSTOP: what arrives waits, and comes in a new order when it goes on).
 */
export class Life {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #onDeath: (() => void)[] = [];
  #state: 'running' | 'stopped' | 'dead' = 'running';
  #held: { channel: Channel; run: () => void }[] = [];
  #isCatchingUp = false;
  #actsLeft = Infinity;
  /** By how much the monotonic clock is behind: it stands still while the machine is suspended. */
  #suspendedMs = 0;
  #suspendedSinceMs: number | undefined;
  #wallShiftMs = 0;

  constructor(name: string, scheduler: Scheduler, chance: Chance) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#chance = chance;
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** What the operating system does when the process is gone: close its sockets. */
  onDeath(run: () => void): void {
    this.#onDeath.push(run);
  }

  kill(): void {
    if (this.isDead) return;
    this.#state = 'dead';
    this.#held = [];
    for (const run of this.#onDeath) run();
  }

  /** Dies just before it acts on the outside for the nth time from now: a crash between two lines. */
  killAfter(acts: number): void {
    this.#actsLeft = acts;
  }

  stop(): void {
    if (this.#state === 'running') this.#state = 'stopped';
  }

  /** The machine is suspended: as `stop`, and its monotonic clock stands still too. */
  suspend(): void {
    if (this.#state !== 'running') return;
    this.stop();
    this.#suspendedSinceMs = this.#scheduler.nowMs;
  }

  /** Somebody sets the machine's clock. */
  shiftWall(ms: number): void {
    this.#wallShiftMs += ms;
  }

  continue(): void {
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    const { nowMs } = this.#scheduler;
    this.#suspendedMs += nowMs - (this.#suspendedSinceMs ?? nowMs);
    this.#suspendedSinceMs = undefined;
    this.#held = interleave(this.#held, this.#chance);
    this.#catchUp();
  }

  /** True if the process still can do something to the outside; counted for `killAfter`. */
  act(): boolean {
    if (this.isDead) return false;
    this.#actsLeft -= 1;
    if (this.#actsLeft < 0) this.kill();
    return !this.isDead;
  }

  /** Brings something in: now, when the process goes on, or never. */
  deliver(channel: Channel, run: () => void): void {
    if (this.isDead) return;
    if (this.#state === 'stopped' || this.#held.length > 0) {
      this.#held.push({ channel, run });
      return;
    }
    run();
  }

  /** By the process's monotonic clock. */
  after(ms: number, run: () => void, channel: Channel = 'timer'): Timer {
    let isCancelled = false;
    const dueMs = this.#nowMs + ms;
    const fire = (): void =>
      this.deliver(channel, () => {
        if (isCancelled) return;
        const leftMs = dueMs - this.#nowMs;
        // A suspended machine has not counted on.
        if (this.#suspendedMs > 0 && leftMs > 1e-6) timer = this.#scheduler.after(leftMs, fire);
        else run();
      });
    let timer = this.#scheduler.after(ms, fire);
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  get #nowMs(): number {
    return this.#scheduler.nowMs - this.#suspendedMs;
  }

  /** The process's clocks: the monotonic one goes on while the process is stopped, and stands still while the machine is suspended. */
  get clock(): Clock {
    return {
      nowMs: () => this.#nowMs,
      wallMs: () => beginningMs + this.#scheduler.nowMs + this.#wallShiftMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          const wake = (): void => {
            timer.cancel();
            signal?.removeEventListener('abort', wake);
            resolve();
          };
          const timer = this.after(ms, wake);
          signal?.addEventListener('abort', wake, { once: true });
        }),
    };
  }

  /** One at a time, so that the promises of each go on before the next comes in. */
  #catchUp(): void {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    const next = (): void => {
      this.#isCatchingUp = false;
      if (this.#state !== 'running') return;
      const first = this.#held[0];
      if (!first) return;
      first.run();
      this.#held.shift();
      if (this.#held.length > 0) this.#catchUp();
    };
    this.#scheduler.after(0, next);
  }
}

/** A random order that keeps the order within each channel. */
function interleave<T extends { channel: Channel }>(items: readonly T[], chance: Chance): T[] {
  const channels = new Map<Channel, T[]>();
  for (const item of items)
    channels.set(item.channel, [...(channels.get(item.channel) ?? []), item]);
  const order = chance.shuffled(items.map(({ channel }) => channel));
  const merged: T[] = [];
  for (const channel of order) merged.push(...(channels.get(channel)?.splice(0, 1) ?? []));
  return merged;
}
