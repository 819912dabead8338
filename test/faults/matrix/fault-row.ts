import type { Chance } from '../../simulation/chance.ts';
import type { TestStack } from '../../support/test-stack.ts';
import type { StackChoice } from './stack-keeper.ts';

/** One row of the fault matrix: a fault, what is promised under it, and how it is done to real servers and processes. */
export interface FaultRow {
  /** 1 to 45. */
  readonly number: number;
  readonly fault: string;
  readonly expected: string;
  /** Rounds that a full run makes, each with a seed of its own. */
  readonly seeds: number;
  /** In the share that CI runs, with one seed. */
  readonly inCi: boolean;
  /** One round. @throws Error if it could not be carried out, or if its fault did not bite: then nothing is shown. */
  readonly run: (round: FaultRound) => Promise<FaultOutcome>;
}

/** What the machine gives to a round. */
export interface FaultRound {
  readonly seed: number;
  /** Seeded by it. */
  readonly chance: Chance;
  /** Prints a line of what is done. */
  readonly say: (line: string) => void;
  /**
   * Postgres and Kafka, started when they are first asked for and kept for rounds and rows that choose the same: a round leaves them running, and takes a pipeline of its own.
   * A row that ruins them, or gives functions as options, starts its own by `startTestStack`.
   */
  readonly stack: (choice?: StackChoice) => Promise<TestStack>;
}

/** What was found for one promise. */
export interface Judgement {
  /** 'I1' to 'I11'. */
  readonly promise: string;
  readonly holds: boolean;
  readonly found: string;
}

/** What a round showed. */
export interface FaultOutcome {
  /** What proves that the fault bit, with its figure, such as "12,288 bytes dropped". */
  readonly bit: string;
  readonly judged: readonly Judgement[];
  readonly figures?: Readonly<Record<string, number | string>>;
}
