import { textOf, type State, type Write } from './judge-answers.ts';

export const phases = ['warm-up', 'without', 'with'] as const;
/** Before it counts, without hostile callers, and with them. */
export type Phase = (typeof phases)[number];

/** Something that an honest caller should not meet. */
export interface Trouble {
  readonly atMs: number;
  readonly phase: Phase;
  /** `wrong`: an answer that cannot be true. */
  readonly kind: '5xx' | 'no answer' | 'broken' | 'wrong';
  readonly what: string;
}

/** What one process of callers was told, as it is sent to the judge. */
export interface Told {
  readonly writes: readonly Write[];
  /** Each state that an answer has shown, once. */
  readonly shown: readonly State[];
  /** Milliseconds of each answer below 500, by `phase: kind`. */
  readonly latencies: Readonly<Record<string, readonly number[]>>;
  /** Answers by `phase: status`; `closed idle`, `no answer` and `broken` among them. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The first thousand. */
  readonly troubles: readonly Trouble[];
}

/** Notes what callers are told. */
export class Notes {
  phase: Phase = 'warm-up';
  readonly writes: Write[] = [];
  readonly #shown = new Map<string, State>();
  readonly #latencies: Record<string, number[]> = {};
  readonly #statuses: Record<string, number> = {};
  readonly #troubles: Trouble[] = [];

  shown(states: readonly State[]): void {
    for (const state of states) this.#shown.set(textOf(state), state);
  }

  latency(kind: string, ms: number): void {
    (this.#latencies[`${this.phase}: ${kind}`] ??= []).push(ms);
  }

  status(status: number | string): void {
    const key = `${this.phase}: ${status}`;
    this.#statuses[key] = (this.#statuses[key] ?? 0) + 1;
  }

  trouble(kind: Trouble['kind'], what: string): void {
    if (this.#troubles.length < 1_000)
      this.#troubles.push({ atMs: Date.now(), phase: this.phase, kind, what });
  }

  get told(): Told {
    return {
      writes: this.writes,
      shown: [...this.#shown.values()],
      latencies: this.#latencies,
      statuses: this.#statuses,
      troubles: this.#troubles,
    };
  }
}
