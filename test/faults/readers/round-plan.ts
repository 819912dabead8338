import { seededRandom } from '../../support/random.ts';
import { calmMs, nemesisKinds, type NemesisKind } from './nemesis-kinds.ts';

/** What a round is: with the same plan two versions of the code are asked the same. */
export interface RoundPlan {
  readonly seed: number;
  readonly kind: NemesisKind;
  readonly replicas: 2 | 3;
  readonly members: number;
  readonly form: 'single' | 'batches';
  /** Waiting before the first member starts; none where pauses are measured. */
  readonly events: number;
  /** What a handler takes, milliseconds. */
  readonly handlerMs: number;
}

/** The plans of a run: each follows from its own seed, and the seeds follow each other. */
export function planRounds(options: {
  readonly seed: number;
  readonly rounds: number;
  readonly kinds: readonly NemesisKind[];
  readonly events: number;
  readonly handlerMs: number;
}): RoundPlan[] {
  const { seed, rounds, events, handlerMs } = options;
  const kinds = options.kinds.length > 0 ? options.kinds : nemesisKinds;
  return Array.from({ length: rounds }, (_, index) => {
    // Another stream than the nemesis', which begins with the same seed.
    const random = seededRandom((seed + index) ^ 0x5bd1e995);
    const kind = kinds[index % kinds.length] ?? 'reassign';
    return {
      seed: seed + index,
      kind,
      replicas: random() < 0.5 ? 2 : 3,
      members: 1 + Math.floor(random() * 3),
      form: random() < 0.5 ? 'single' : 'batches',
      handlerMs,
      events: calmMs[kind] === undefined ? events : 0,
    };
  });
}
