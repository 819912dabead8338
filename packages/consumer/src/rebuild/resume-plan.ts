import type { StorePositions } from '../stores/state-store.ts';
import type { PartitionRange } from '../topic-reader/topic-record.ts';
import type { Recognition } from './recognise-topic.ts';

/** Where a rebuild begins, and why. */
export type ResumePlan =
  | { readonly from: 'positions' }
  | {
      readonly from: 'beginning';
      readonly why:
        /** The store has nothing. */
        | 'empty'
        /** The store was not current for longer than the topic keeps deletions. */
        | 'tombstones-may-be-gone'
        /** Retention (or somebody) removed records that the store has not read: deletions may be among them. */
        | 'records-removed'
        /** Another topic has the name now. */
        | 'topic-made-again'
        /** It may be another one: neither the broker nor the last records that were read say. */
        | 'topic-not-proven'
        /** It ends before what was read of it. */
        | 'topic-lost-records';
    };

/** True if records came since: a partition whose end is still its position has missed nothing. */
export function hasMissed(
  { partitions }: StorePositions,
  ranges: readonly PartitionRange[],
): boolean {
  return ranges.some(
    ({ partition, high }) => high > 0n && partitions.get(partition)?.nextOffset !== high,
  );
}

/** True if a partition begins behind its position now: what lay between was removed, and never read. */
function isOvertaken({ partitions }: StorePositions, ranges: readonly PartitionRange[]): boolean {
  return ranges.some(({ partition, low }) => (partitions.get(partition)?.nextOffset ?? low) < low);
}

/**
 * A store goes on from its positions only in the topic that they are of, and as long as Kafka keeps tombstones:
 * `delete.retention.ms` counts from when the log was first cleaned with the
 * tombstone in it, which takes the values before it away; so of a value that the store has read, the deletion is there
 * for that long after the store was current. Later it may
 * have gone without a trace, and its key would live on in the store for ever.
 * Retention beside compaction (`compact,delete`, or records that somebody deleted) takes deletions and newer values of
 * what was read at any time: positions below what is left begin again, whatever their age.
 * Source: Kafka's topic settings, `delete.retention.ms`, "a bound on the time in which a consumer must complete a
 * read".
 * @param options.ranges what the partitions hold now.
 * @param options.tombstonesLiveMs the topic's `delete.retention.ms`.
 */
export function resumePlan(
  positions: StorePositions,
  {
    topic,
    ranges,
    tombstonesLiveMs,
    nowMs,
  }: {
    readonly topic: Recognition;
    readonly ranges: readonly PartitionRange[];
    readonly tombstonesLiveMs: number;
    readonly nowMs: number;
  },
): ResumePlan {
  const { partitions, currentAtMs } = positions;
  if (partitions.size === 0) return { from: 'beginning', why: 'empty' };
  if (topic === 'made-again') return { from: 'beginning', why: 'topic-made-again' };
  if (topic === 'lost-end') return { from: 'beginning', why: 'topic-lost-records' };
  if (topic === 'unproven') return { from: 'beginning', why: 'topic-not-proven' };
  if (isOvertaken(positions, ranges)) return { from: 'beginning', why: 'records-removed' };
  return hasMissed(positions, ranges) && nowMs - currentAtMs >= tombstonesLiveMs
    ? { from: 'beginning', why: 'tombstones-may-be-gone' }
    : { from: 'positions' };
}
