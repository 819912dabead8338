import type { StatePosition } from '../stores/state-store.ts';
import type { PartitionRange } from '../topic-reader/topic-record.ts';
import type { ReadTopic } from './read-topic.ts';
import { isMarkOf, readTopicMark, type TopicMark } from './topic-mark.ts';

/**
 * Whether a topic is the one that positions are of: `same`; `made-again`, another of the same name; `lost-end`, the
 * same one, which ends before what was read of
 * it (an unclean election); `unproven`, where it may be either.
 */
export type Recognition = 'same' | 'made-again' | 'lost-end' | 'unproven';

/** What a topic is now. */
export interface TopicNow {
  /** Undefined where the broker does not say. */
  readonly topicId: string | undefined;
  readonly ranges: readonly PartitionRange[];
}

/** By what the broker says of the topic alone; `unproven` where records have to be looked at. */
export function recogniseById(
  positions: readonly StatePosition[],
  { topicId, ranges }: TopicNow,
): Recognition {
  const highs = new Map(ranges.map(({ partition, high }) => [partition, high]));
  const ids = positions.map(({ mark }) => readTopicMark(mark)?.topicId);
  const isSame = topicId !== undefined && ids.every((id) => id === topicId);
  if (topicId !== undefined && ids.some((id) => id !== undefined && id !== topicId))
    return 'made-again';
  // Partitions never become fewer, and a log ends behind what was read of it.
  if (positions.some(({ partition, nextOffset }) => nextOffset > (highs.get(partition) ?? -1n)))
    return isSame ? 'lost-end' : 'made-again';
  return isSame ? 'same' : 'unproven';
}

/**
 * By the last record that was read of each partition, read once more. One that is what it was proves the topic, one
 * that is another record
 * disproves it, and one that compaction took says nothing.
 */
export async function recogniseByRecords(
  read: ReadTopic,
  positions: readonly StatePosition[],
  signal: AbortSignal | undefined,
): Promise<Recognition> {
  const marks = new Map<number, TopicMark>();
  for (const { partition, mark } of positions) {
    const marked = readTopicMark(mark);
    if (marked) marks.set(partition, marked);
  }
  const open = new Set(marks.keys());
  const done = new AbortController();
  let proofs = 0;
  let isAnother = false;
  if (open.size === 0) return 'unproven';
  await read({
    from: ({ partition, low, high }) => {
      const offset = marks.get(partition)?.offset;
      if (offset !== undefined && offset >= low && offset < high) return offset;
      open.delete(partition);
      return undefined;
    },
    until: 'end',
    signal: signal ? AbortSignal.any([signal, done.signal]) : done.signal,
    onBatch: ([record]) => {
      const mark = record && marks.get(record.partition);
      if (!mark || !open.delete(record.partition)) return;
      if (isMarkOf(mark, record)) proofs += 1;
      else if (record.offset === mark.offset) isAnother = true;
      if (open.size === 0) done.abort();
    },
  });
  if (isAnother) return 'made-again';
  return proofs > 0 ? 'same' : 'unproven';
}
