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
  /** Of a 5xx, what it was: status, kind of problem and first sentence of its detail. */
  readonly problem?: string;
}

/** A 5xx in a few words, the same for all of a kind: `503 overloaded: Too many requests wait for the database`. */
export function problemOf(status: number, text: string): string {
  let said: { readonly type?: unknown; readonly detail?: unknown };
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    return `${status}, not a problem`;
  }
  const [type, detail] = [said.type, said.detail].map((each) =>
    typeof each === 'string' ? each : '',
  );
  return `${status} ${type?.split('/').at(-1)}: ${detail?.split(/\.(\s|$)/)[0]}`;
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
  /** The first ten thousand. */
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
    this.#keep({ kind, what });
  }

  /** An answer of 500 or more. @param what was asked. */
  serverError(what: string, status: number, text: string): void {
    const problem = problemOf(status, text);
    this.#keep({ kind: '5xx', what: `${what}: ${status} ${text.slice(0, 200)}`, problem });
  }

  #keep(trouble: Omit<Trouble, 'atMs' | 'phase'>): void {
    if (this.#troubles.length < 10_000)
      this.#troubles.push({ atMs: Date.now(), phase: this.phase, ...trouble });
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
