import type { Handling } from './handled-file.ts';
import { courseOf, longestPause, pausesOf, type Disturbance, type Pause } from './pauses.ts';
import type { LogRecord } from './topic-log.ts';

/** What a round left behind. */
export interface RoundFacts {
  /** The topic's committed records, by an independent reader. */
  readonly log: readonly LogRecord[];
  /** What each member process handled, in its order. */
  readonly handled: readonly (readonly Handling[])[];
  /** The group's committed offset of each partition, by Kafka's own tool. */
  readonly committed: ReadonlyMap<number, number>;
  readonly disturbances: readonly Disturbance[];
  /** Add it to a monotonic time in microseconds to have the wall clock's. */
  readonly clockOffsetUs: number;
}

/** What became of the events of a round. Everything but `events`, `duplicates` and the pauses has to be 0. */
export interface Verdict {
  readonly events: number;
  /** Committed over and never handled. */
  readonly lost: number;
  /** Not committed at the end, handled or not. */
  readonly uncommitted: number;
  /** Versions that are missing below the highest handled one of their key. */
  readonly gaps: number;
  /** First handlings that come after the first handling of a later version of their key. */
  readonly disorder: number;
  /** Handlings of something that is not in the topic: of an aborted transaction, or a fault of the harness. */
  readonly unknown: number;
  /** Handlings beyond the first of an event. */
  readonly duplicates: number;
  /** The longest time without a new event while one waited: in all partitions, and in any one of them. */
  readonly pauseAllMs: number;
  readonly pausePartitionMs: number;
  /** The longest of those that began with a disturbance: in the partitions that it met, and in the others. */
  readonly pauseTouchedMs: number;
  readonly pauseOthersMs: number;
  /** The disturbances and the longest pauses with their times, for the eye. */
  readonly course: readonly string[];
  /** Some of what was lost, for the eye. */
  readonly examples: readonly string[];
}

/** Judges a round by what an outsider sees in the topic and the group, and by what the handlers were given. Pure. */
export function judgeRound(facts: RoundFacts): Verdict {
  const { log, handled, committed } = facts;
  const place = ({ partition, offset }: { partition: number; offset: number }) =>
    `${partition}/${offset}`;
  // Stable: of one process in its own order.
  const inTime = handled.flat().sort((one, other) => one.atUs - other.atUs);
  const byPlace = new Map(log.map((record) => [place(record), record]));
  const first = new Map<string, Handling>();
  const highest = new Map<string, number>();
  const versions = new Map<string, Set<number>>();
  let duplicates = 0;
  let disorder = 0;
  let unknown = 0;
  for (const handling of inTime) {
    const at = place(handling);
    const { key, version } = handling;
    const record = byPlace.get(at);
    if (record?.key !== key || record.version !== version) unknown += 1;
    if (first.has(at)) {
      duplicates += 1;
      continue;
    }
    first.set(at, handling);
    const before = highest.get(key) ?? 0;
    if (version < before) disorder += 1;
    else highest.set(key, version);
    const seen = versions.get(key) ?? new Set<number>();
    versions.set(key, seen.add(version));
  }
  let gaps = 0;
  for (const record of log)
    if (
      record.version < (highest.get(record.key) ?? 0) &&
      versions.get(record.key)?.has(record.version) !== true
    )
      gaps += 1;
  const lost = log.filter(
    (record) => record.offset < (committed.get(record.partition) ?? 0) && !first.has(place(record)),
  );
  const pauses = pausesOf(log, first, facts.clockOffsetUs);
  return {
    events: log.length,
    lost: lost.length,
    uncommitted: log.filter(({ partition, offset }) => offset >= (committed.get(partition) ?? 0))
      .length,
    gaps,
    disorder,
    unknown,
    duplicates,
    pauseAllMs: longestPause(pauses.all),
    pausePartitionMs: longestPause(pauses.partitions),
    ...bySide(pauses.partitions, facts.disturbances),
    course: courseOf(pauses.partitions, facts.disturbances),
    examples: lost
      .slice(0, 5)
      .map(({ key, version, ...at }) => `${key} version ${version} at ${place(at)}`),
  };
}

/** How long after the end of a disturbance a pause is still its doing, microseconds. */
const aftermathUs = 10_000_000;

function bySide(
  pauses: readonly Pause[],
  disturbances: readonly Disturbance[],
): { pauseTouchedMs: number; pauseOthersMs: number } {
  const touched: Pause[] = [];
  const others: Pause[] = [];
  for (const { beganUs, endedUs, partitions } of disturbances)
    for (const pause of pauses)
      if (pause.untilUs > beganUs && pause.fromUs < endedUs + aftermathUs)
        (partitions.includes(pause.partition) ? touched : others).push(pause);
  return { pauseTouchedMs: longestPause(touched), pauseOthersMs: longestPause(others) };
}
