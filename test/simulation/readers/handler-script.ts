import type { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import type { ReadersChecker } from './readers-checker.ts';

/** How the handlers of a schedule behave. */
export interface HandlerPlan {
  /** Longest usual duration; 0: returns at once, without a promise. */
  readonly ms: number;
  /** Share of calls that take up to `longMs`. */
  readonly long: number;
  readonly longMs: number;
  readonly failures: number;
  /** Events that it never takes. */
  readonly isPoison: (eid: string) => boolean;
}

/** What a handler is told beside its events, as far as this one looks. */
interface Call {
  readonly eids: readonly string[];
  readonly signal: AbortSignal;
}

/** The user's code in one process: takes its time, fails now and then, and has the checker watch. */
export class HandlerScript {
  readonly #life: Life;
  readonly #chance: Chance;
  readonly #plan: () => HandlerPlan;
  readonly #checker: ReadersChecker;
  readonly #trace: (what: string) => void;
  static #calls = 0;

  constructor(parts: {
    readonly life: Life;
    readonly chance: Chance;
    /** How it behaves now. */
    readonly plan: () => HandlerPlan;
    readonly checker: ReadersChecker;
    readonly trace: (what: string) => void;
  }) {
    this.#life = parts.life;
    this.#chance = parts.chance;
    this.#plan = parts.plan;
    this.#checker = parts.checker;
    this.#trace = parts.trace;
  }

  /** A promise, or nothing where it is done at once; may throw. */
  handle({ eids, signal }: Call): Promise<void> | void {
    const { name, isDead } = this.#life;
    // A process that is dead runs nothing, whatever its promises do here.
    if (isDead) return new Promise(() => undefined);
    const chance = this.#chance;
    HandlerScript.#calls += 1;
    const call = HandlerScript.#calls;
    this.#trace(`${name} begins ${eids.join(', ')}`);
    for (const eid of eids) this.#checker.began(name, eid, call);
    const release = (): void => {
      for (const eid of eids) this.#checker.released(name, eid);
    };
    if (signal.aborted) release();
    else signal.addEventListener('abort', release, { once: true });
    const plan = this.#plan();
    const end = (): void => {
      signal.removeEventListener('abort', release);
      const isFailure = chance.happens(plan.failures) || eids.some(plan.isPoison);
      this.#trace(`${name} ${isFailure ? 'fails with' : 'has handled'} ${eids.join(', ')}`);
      for (const eid of eids)
        if (isFailure) this.#checker.failed(name, eid);
        else this.#checker.handled(name, eid);
      if (isFailure) throw new Error('the handler fails as it was told to');
    };
    const isLong = chance.happens(plan.long);
    if (!isLong && plan.ms === 0) return end();
    const ms = chance.between(0, isLong ? plan.longMs : plan.ms);
    return this.#life.clock.sleep(ms).then(end);
  }
}
