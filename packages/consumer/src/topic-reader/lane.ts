import type { FetchedRecords, KafkaRecord } from '@outbound/kafka';
import type { PartitionRange } from './topic-record.ts';

/** A partition while it is read. */
export interface Lane extends PartitionRange {
  /** The end to reach; to be caught up is to have everything below it handed out. */
  readonly end: bigint;
  /** Everything below it has been handed out. */
  doneOffset: bigint;
  /** Answers that wait to be handed out, or are worked on. */
  waiting: number;
  /** When a broker last answered with more of it, or that there is no more; monotonic ms. */
  goodAtMs: number;
  /** When everything in it had been handed out, last; ms since 1970. 0 if never yet. */
  currentAtMs: number;
  /** As the last answer said; −1 before it. */
  highWatermark: bigint;
  lastStableOffset: bigint;
  /** Why a broker gave nothing, last. */
  trouble: string | undefined;
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
      ...range,
      end: high,
      doneOffset: start,
      waiting: 0,
      goodAtMs: nowMs,
      currentAtMs: 0,
      highWatermark: -1n,
      lastStableOffset: -1n,
      trouble: undefined,
    },
    overtaken: start - from,
  };
}

/** True when everything has been handed out that the partition held when reading began. */
export function isCaughtUp({ doneOffset, end }: Pick<Lane, 'doneOffset' | 'end'>): boolean {
  return doneOffset >= end;
}

/**
 * True for an answer that shows that reading goes on: it brought more, or there is no more. That an open transaction holds back what is below the end to reach,
 * or that the log ends before it, is no such answer.
 */
export function isGood(
  { from, next, lastStableOffset }: Pick<FetchedRecords, 'from' | 'next' | 'lastStableOffset'>,
  { end }: Pick<Lane, 'end'>,
): boolean {
  return next > from || (next >= end && next >= lastStableOffset);
}

/** The records below `end`: what was in the partition when reading began. */
export function recordsBelow(records: readonly KafkaRecord[], end: bigint): readonly KafkaRecord[] {
  const last = records.at(-1);
  return last && last.offset >= end ? records.filter(({ offset }) => offset < end) : records;
}
