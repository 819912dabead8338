/** A partition as it is now. */
export interface PartitionRange {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** How far a group is in one topic. */
export interface TopicLag {
  /**
   * Offsets from the group's positions to the ends; on a compacted topic the most there can be. Null if it cannot be
   * known.
   */
  readonly records: number | null;
  /** Partitions with records on which the group has no position: where it will begin there, only its members know. */
  readonly unplaced: number;
  /** Records that retention removed before the group came to them. */
  readonly expired: number;
  /** Per partition with a lag, the first record to be read. */
  readonly next: readonly { readonly partition: number; readonly offset: bigint }[];
}

/** The lag from a topic's ranges and a group's positions there. */
export function topicLag(
  ranges: readonly PartitionRange[],
  positions: ReadonlyMap<number, bigint>,
): TopicLag {
  let records = 0n;
  let expired = 0n;
  let unplaced = 0;
  const next: { partition: number; offset: bigint }[] = [];
  for (const { partition, low, high } of ranges) {
    const position = positions.get(partition);
    if (position === undefined) {
      if (high > low) unplaced += 1;
      continue;
    }
    if (position < low) expired += low - position;
    const offset = position < low ? low : position;
    if (offset >= high) continue;
    records += high - offset;
    next.push({ partition, offset });
  }
  return {
    records: unplaced > 0 ? null : Number(records),
    unplaced,
    expired: Number(expired),
    next,
  };
}
