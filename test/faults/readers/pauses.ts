import type { Handling } from './handled-file.ts';
import type { LogRecord } from './topic-log.ts';

/** Something that was done to the cluster or the group; monotonic microseconds. */
export interface Disturbance {
  readonly what: string;
  readonly beganUs: number;
  readonly endedUs: number;
  /** Whose leader or member it met. */
  readonly partitions: readonly number[];
}

/** A time in which an event waited and none was handled for the first time; monotonic microseconds. */
export interface Pause {
  readonly partition: number;
  readonly fromUs: number;
  readonly untilUs: number;
}

/**
 * The pauses between first handlings, of each partition and of all together: each from the moment when both the one before was handled and the next one was in the
 * topic. The time before the first of all is the start, not a pause.
 * @param first the first handling of each record, by `partition/offset`, in the order of time.
 */
export function pausesOf(
  log: readonly LogRecord[],
  first: ReadonlyMap<string, Handling>,
  clockOffsetUs: number,
): { readonly all: readonly Pause[]; readonly partitions: readonly Pause[] } {
  const producedUs = new Map(
    log.map(({ partition, offset, atMs }) => [
      `${partition}/${offset}`,
      atMs * 1000 - clockOffsetUs,
    ]),
  );
  const partitions: Pause[] = [];
  const all: Pause[] = [];
  const last = new Map<number, number>();
  let lastOfAll: number | undefined;
  for (const [place, { partition, atUs }] of first) {
    const waitedSince = producedUs.get(place) ?? atUs;
    const before = last.get(partition) ?? lastOfAll;
    if (before !== undefined && lastOfAll !== undefined) {
      partitions.push({ partition, fromUs: Math.max(before, waitedSince), untilUs: atUs });
      all.push({ partition, fromUs: Math.max(lastOfAll, waitedSince), untilUs: atUs });
    }
    last.set(partition, atUs);
    lastOfAll = atUs;
  }
  return { all, partitions };
}

/** Milliseconds; 0 of nothing. */
export function longestPause(pauses: readonly Pause[]): number {
  let longestUs = 0;
  for (const { fromUs, untilUs } of pauses) longestUs = Math.max(longestUs, untilUs - fromUs);
  return Math.round(longestUs / 1000);
}

/** What happened when: each disturbance, and the ten longest pauses, in seconds from the first of all. */
export function courseOf(
  pauses: readonly Pause[],
  disturbances: readonly Disturbance[],
): readonly string[] {
  const longest = [...pauses]
    .sort((one, other) => other.untilUs - other.fromUs - (one.untilUs - one.fromUs))
    .slice(0, 10)
    .map(({ partition, fromUs, untilUs }) => ({ what: `partition ${partition}`, fromUs, untilUs }));
  const done = disturbances.map(({ what, beganUs, endedUs }) => ({
    what,
    fromUs: beganUs,
    untilUs: endedUs,
  }));
  const all = [...longest, ...done].sort((one, other) => one.fromUs - other.fromUs);
  const seconds = (us: number) => ((us - (all[0]?.fromUs ?? 0)) / 1e6).toFixed(1);
  return all.map(({ what, fromUs, untilUs }) => `${seconds(fromUs)}–${seconds(untilUs)} ${what}`);
}
