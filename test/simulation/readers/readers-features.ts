import type { Chance } from '../chance.ts';
import type { DeadLetterPlan } from './simulated-dead-letters.ts';
import { operatorActs, type OperatorAct } from './reader-operator.ts';

/** What a subscription of a schedule has beside one topic whose events are tried until they are handled. */
export interface ReadersFeatures {
  /** Topics in one subscription. */
  readonly topics: 1 | 2;
  /** With it, what fails for good is parked. */
  readonly deadLetters: (DeadLetterPlan & { readonly attempts: number }) | undefined;
  /** Somebody redrives and discards dead letters while it runs, and in the end all of them. */
  readonly redrives: boolean;
  /** What it is asked while it runs. */
  readonly acts: readonly OperatorAct[];
}

/** None of them: schedules of before they were there. */
export const noFeatures: ReadersFeatures = {
  ...{ topics: 1, deadLetters: undefined, redrives: false, acts: [] },
};

/** Each of them in a third of the schedules. */
export function chosenFeatures(chance: Chance): ReadersFeatures {
  const topics = chance.happens(0.3) ? 2 : 1;
  const deadLetters = {
    poison: chance.pick([0.02, 0.1]),
    ms: chance.pick([5, 60, 800]),
    failures: chance.pick([0, 0, 0.05, 0.2]),
    attempts: chance.int(1, 3),
  };
  return {
    topics,
    deadLetters: chance.happens(0.35) ? deadLetters : undefined,
    acts: chance.happens(0.35) ? chance.shuffled(operatorActs).slice(0, chance.int(1, 3)) : [],
    redrives: chance.happens(0.7),
  };
}

/** Whether no handler ever takes this event: the same for every process and every delivery. */
export function isPoison(eid: string, share: number): boolean {
  let hash = 2_166_136_261;
  for (const letter of Buffer.from(eid)) hash = Math.imul(hash ^ letter, 16_777_619) >>> 0;
  return hash / 4_294_967_296 < share;
}
