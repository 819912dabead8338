import type { PartitionRange, TopicRecord } from './topic-record.ts';

/** A partition while it is read. */
export interface Lane {
  readonly topic: string;
  readonly partition: number;
  /** As the partition was when reading began. */
  readonly low: bigint;
  readonly end: bigint;
  /** Where the next fetch begins. */
  fetchOffset: bigint;
  /** Everything below it has been handed out. */
  doneOffset: bigint;
  /** When a broker last answered with more of it, or that there is no more; monotonic ms. */
  goodAtMs: number;
  /** When everything in it had been handed out, last; ms since 1970. 0 if never yet. */
  endAtMs: number;
  /** An answer for it is on its way, or not yet queued to be handed out. */
  isAsked: boolean;
}

/**
 * The lane of a partition that is to be read from `from` on; `overtaken` offsets are gone already, removed by retention.
 * @throws RangeError if `from` is behind the end: the topic is not the one that this position is of.
 */
export function openLane(
  range: PartitionRange,
  from: bigint,
  nowMs: number,
): { readonly lane: Lane; readonly overtaken: bigint } {
  const { topic, partition, low, high } = range;
  if (from > high)
    throw new RangeError(
      `${topic}/${partition} ends at offset ${high}, and reading was to begin at ${from}: the topic was made anew or has lost its end, so begin again from nothing`,
    );
  const start = from < low ? low : from;
  return {
    lane: {
      topic,
      partition,
      low,
      end: high,
      fetchOffset: start,
      doneOffset: start,
      goodAtMs: nowMs,
      endAtMs: 0,
      isAsked: false,
    },
    overtaken: start - from,
  };
}

/** True when everything has been handed out that the partition held when reading began. */
export function isCaughtUp({ doneOffset, end }: Pick<Lane, 'doneOffset' | 'end'>): boolean {
  return doneOffset >= end;
}

/** The records below `end`: what was in the partition when reading began. */
export function recordsBelow(records: readonly TopicRecord[], end: bigint): readonly TopicRecord[] {
  const last = records.at(-1);
  return last && last.offset >= end ? records.filter(({ offset }) => offset < end) : records;
}
