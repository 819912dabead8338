import type { Within } from './planted-inside.ts';
import type { Plot } from './plots.ts';
import type { Plant } from './relay-assembly.ts';

/** A defect that somebody could make in the relay, put in from outside, and the promise whose breach shows it. */
export interface PlantedBug extends Plant {
  /** Numbers of promises; the first failure of a schedule that names one of them counts as found. */
  readonly breaks: readonly string[];
  /** Where the defect is inside the relay's own code. */
  readonly within?: Within;
  /** What the schedules are about that look for it; any if left out. */
  readonly plot?: Plot;
}
