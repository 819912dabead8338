import { RelayError } from './errors.ts';

/**
 * Notices that the process stood still (SIGSTOP, a suspended machine, a blocked loop): whoever waits for us may have taken the slot
 * meanwhile, so nothing is sent until the server says that we still hold it. Fencing makes a late send harmless; this makes it rare.
 * `observe` is called by a timer and before each send: whichever runs first after the stall sees the gap.
 */
export class StallGuard {
  readonly #limitMs: number;
  readonly #holdsSlot: () => Promise<boolean>;
  #lastMs: number;
  #isSuspect = false;

  constructor({
    limitMs,
    nowMs,
    holdsSlot,
  }: {
    limitMs: number;
    nowMs: number;
    holdsSlot: () => Promise<boolean>;
  }) {
    this.#limitMs = limitMs;
    this.#lastMs = nowMs;
    this.#holdsSlot = holdsSlot;
  }

  observe(nowMs: number): void {
    if (nowMs - this.#lastMs > this.#limitMs) this.#isSuspect = true;
    this.#lastMs = nowMs;
  }

  /** The next send is preceded by a question, whatever the clock says. */
  doubt(): void {
    this.#isSuspect = true;
  }

  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  /**
   * Resolves if a send may start.
   * @throws RelayError SOURCE_CONNECTION_LOST if the slot was lost, or can't be proved to be ours.
   */
  async prove(): Promise<void> {
    if (!this.#isSuspect) return;
    let holds: boolean;
    try {
      holds = await this.#holdsSlot();
    } catch (cause) {
      throw new RelayError(
        'SOURCE_CONNECTION_LOST',
        'after a stall, Postgres could not be asked who holds the slot',
        { cause },
      );
    }
    if (!holds)
      throw new RelayError(
        'SOURCE_CONNECTION_LOST',
        'the slot was lost while this process stood still',
      );
    this.#isSuspect = false;
  }
}
