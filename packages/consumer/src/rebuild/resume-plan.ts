import type { StorePositions } from '../stores/state-store.ts';

/** Where a rebuild begins, and why. */
export type ResumePlan =
  | { readonly from: 'positions' }
  | { readonly from: 'beginning'; readonly why: 'empty' | 'tombstones-may-be-gone' };

/**
 * A store goes on from its positions only as long as Kafka keeps tombstones: `delete.retention.ms` counts from when the log was first cleaned with the tombstone in
 * it, which takes the values before it away; so of a value that the store has read, the deletion is there for that long after the store was current. Later it may
 * have gone without a trace, and its key would live on in the store for ever. A partition whose end is still its position has missed nothing.
 * Source: Kafka's topic settings, `delete.retention.ms`, "a bound on the time in which a consumer must complete a read".
 * @param options.ends the partitions' present ends.
 * @param options.tombstonesLiveMs the topic's `delete.retention.ms`.
 */
export function resumePlan(
  { offsets, currentAtMs }: StorePositions,
  {
    ends,
    tombstonesLiveMs,
    nowMs,
  }: { ends: ReadonlyMap<number, bigint>; tombstonesLiveMs: number; nowMs: number },
): ResumePlan {
  if (offsets.size === 0) return { from: 'beginning', why: 'empty' };
  const hasMissed = [...ends].some(
    ([partition, end]) => offsets.get(partition) !== end && end > 0n,
  );
  return hasMissed && nowMs - currentAtMs >= tombstonesLiveMs
    ? { from: 'beginning', why: 'tombstones-may-be-gone' }
    : { from: 'positions' };
}
