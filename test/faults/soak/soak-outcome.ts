import type { FaultOutcome, Judgement } from '../matrix/fault-row.ts';
import { judged } from '../matrix/judged.ts';
import type { SoakResult } from './soak.ts';

/**
 * A soak as a round of the fault matrix: each promise that it judges, with what was found. Pure.
 * @throws Error if there was no fault: then nothing is shown.
 */
export function soakOutcome(result: SoakResult): FaultOutcome {
  const kinds = Object.keys(result.faults).length;
  const faults = Object.values(result.faults).reduce((sum, count) => sum + count, 0);
  if (faults === 0) throw new Error('the soak was too short for a fault');
  const good: Readonly<Record<string, string>> = {
    I1: `${figure(result.events)} events, ${result.lost} lost`,
    I2: '0 ghosts',
    I3: `${result.reordered} out of order, nor for the subscriber`,
    I4: `${result.stale} stale; what is rebuilt is the database`,
    I5: '0 altered',
    I7: `${result.doubled} duplicates, ${figure(result.repeated)} repetitions for the subscriber`,
    I8: `the slowest recovery took ${result.slowestHealSeconds} s`,
    I9: `${result.peakMiB} MiB resident at the peak, the slot kept ${result.walMiB} MiB of log`,
  };
  const promises = [...new Set([...Object.keys(good), ...result.broken.map(promiseOf)])].sort();
  return {
    bit: `${faults} faults of ${kinds} kinds in ${result.minutes} minutes`,
    judged: promises.map((promise): Judgement => {
      const broken = result.broken.find((sentence) => promiseOf(sentence) === promise);
      return judged(promise, broken === undefined, broken?.split('\n')[0] ?? good[promise] ?? '');
    }),
    figures: {
      events: result.events,
      faults,
      slowestHealSeconds: result.slowestHealSeconds,
      peakMiB: result.peakMiB,
      duplicates: result.doubled,
    },
  };
}

/** A broken promise is told as "I8: what happened". */
function promiseOf(sentence: string): string {
  return /^I\d+(?=:)/.exec(sentence)?.[0] ?? 'I8';
}

function figure(count: number): string {
  return count.toLocaleString('en');
}
