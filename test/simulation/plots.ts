import type { Chance } from './chance.ts';
import {
  epochFaults,
  faultNames,
  healthFaults,
  poisonFaults,
  repetitionFaults,
  restoreFaults,
  sleepFaults,
  slotFaults,
  takeoverFaults,
  topicFaults,
  type FaultName,
} from './fault-names.ts';

/** What a schedule is about: faults that go badly together, or any. */
const plots = [
  ...Array.from({ length: 14 }, () => 'any' as const),
  ...([
    'takeover',
    'takeover',
    'takeover',
    'restore',
    'restore',
    'repetition',
    'topic',
    'sleep',
    'slot',
    'poison',
    'health',
  ] as const),
] as const;

/** What a seed may also say: the epochs of a producer id end, as they do in some schedules of any plot. */
const named = [...plots, 'epochs'] as const;

/** The faults of each. */
const plotFaults = {
  epochs: epochFaults,
  takeover: takeoverFaults,
  restore: restoreFaults,
  repetition: repetitionFaults,
  topic: topicFaults,
  sleep: sleepFaults,
  slot: slotFaults,
  poison: poisonFaults,
  health: healthFaults,
} as const;

export type Plot = (typeof named)[number];

/** A seed may say what its schedule is about: `takeover:7`. */
export function plotOf(seed: string, shape: Chance): Plot {
  const drawn = shape.pick(plots);
  return named.find((plot) => seed.startsWith(`${plot}:`)) ?? drawn;
}

/** The faults of a schedule. */
export function faultsOf(plot: Plot, shape: Chance): readonly FaultName[] {
  return plot === 'any' ? chosenFaults(shape) : plotFaults[plot];
}

/** Some schedules have one kind of fault, some many, one in ten none: what hides in a crowd shows alone. */
function chosenFaults(chance: Chance): readonly FaultName[] {
  if (chance.happens(0.1)) return [];
  return chance.shuffled(faultNames).slice(0, chance.pick([1, 2, 4, 8, faultNames.length]));
}

/**
 * The faults of a schedule whose relays deliver exactly once. The world of transactions does not know of records that are not replicated yet, nor of producers that are forgotten; a
 * coordinator that is away for long is only there something that readiness has to say.
 */
export function forTransactions(plot: Plot, faults: readonly FaultName[]): readonly FaultName[] {
  const known = faults.filter((fault) => !unknownToTransactions.has(fault));
  return plot === 'health' ? [...known, 'trouble the coordinator'] : known;
}

const unknownToTransactions: ReadonlySet<FaultName> = new Set([
  'followers behind',
  'retention',
  'sleep on a row',
]);
