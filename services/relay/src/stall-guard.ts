import { RelayError } from './errors.ts';

/** A proof counts for so long that a failure raises no new doubt: many lanes fail at once, and each would ask. */
const proofMs = 1000;

/** A moment by both clocks: the monotonic one stands still while a machine is suspended, the wall clock does not. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

/**
 * Notices that the process stood still (SIGSTOP, a suspended machine, a blocked loop): whoever waits for us may have taken the slot
 * meanwhile, so nothing is sent until the server says that we still hold it. A failed send is a reason to ask too: what took long enough to fail may
 * have been long enough to be replaced. Fencing makes a late send harmless for as long as the broker remembers the newer epoch in the partition
 * (`producer.id.expiration.ms`); this does not depend on it.
 * Not noticed is a virtual machine that was paused with both of its clocks: what it sends then is held back by fencing alone.
 * `observe` is called by a timer and before each send: whichever runs first after the stall sees the gap.
 */
export class StallGuard {
  #limitMs: number;
  readonly #holdsSlot: () => Promise<boolean>;
  #last: Moment;
  /** Counts what raised doubt; the question that was begun after the last one settles it. */
  #doubts = 0;
  #settledDoubts = 0;
  #askedMs = -Infinity;
  #asking: Promise<void> | undefined;

  constructor({
    limitMs,
    at,
    holdsSlot,
  }: {
    limitMs: number;
    at: Moment;
    holdsSlot: () => Promise<boolean>;
  }) {
    this.#limitMs = limitMs;
    this.#last = at;
    this.#holdsSlot = holdsSlot;
  }

  /** Never looks away for longer than this: the slot may be somebody else's by then. */
  atMost(limitMs: number): void {
    this.#limitMs = Math.min(this.#limitMs, limitMs);
  }

  observe(at: Moment): void {
    const gapMs = at.nowMs - this.#last.nowMs;
    // A clock that was set back hides how long the machine was suspended.
    const wallGapMs = Math.abs(at.wallMs - this.#last.wallMs);
    if (Math.max(gapMs, wallGapMs) > this.#limitMs) this.doubt();
    this.#last = at;
  }

  /** The next send is preceded by a question, whatever the clock says. */
  doubt(): void {
    this.#doubts += 1;
  }

  /** A send failed: a doubt, unless the slot was just proved. */
  failed(): void {
    if (this.#last.nowMs - this.#askedMs >= proofMs) this.doubt();
  }

  get isSuspect(): boolean {
    return this.#doubts > this.#settledDoubts;
  }

  /**
   * Resolves if a send may start. Calls at the same time share a question.
   * @throws RelayError SOURCE_CONNECTION_LOST if the slot was lost, or can't be proved to be ours.
   */
  async prove(): Promise<void> {
    // A doubt that came while the question was out is not settled by its answer.
    while (this.isSuspect) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
  }

  async #ask(): Promise<void> {
    const doubts = this.#doubts;
    this.#askedMs = this.#last.nowMs;
    let holds: boolean;
    try {
      holds = await this.#holdsSlot();
    } catch (cause) {
      throw new RelayError(
        'SOURCE_CONNECTION_LOST',
        'after a stall or a failed send, Postgres could not be asked who holds the slot',
        { cause },
      );
    }
    if (!holds)
      throw new RelayError(
        'SOURCE_CONNECTION_LOST',
        'the slot was lost while this process stood still or could not send',
      );
    this.#settledDoubts = doubts;
  }
}
