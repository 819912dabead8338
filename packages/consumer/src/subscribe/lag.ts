/** How far behind a subscription is on one partition. What is not known is undefined, never 0. */
export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** Records from the first unfinished one to the end of the partition; gaps of compaction count. */
  readonly records: bigint | undefined;
  /** Age of the oldest record that is not finished; 0 when there is none. */
  readonly seconds: number | undefined;
}

/**
 * The lag of one partition.
 * @param facts.position the next record to finish: ours, or the group's committed one.
 * @param facts.end the offset after the last record, as the broker says now.
 * @param facts.oldestMs time of the record at `position`, if it has been fetched; milliseconds since 1970.
 */
export function lagOf(
  facts: {
    readonly position: bigint | undefined;
    readonly end: bigint | undefined;
    readonly oldestMs: number | undefined;
  },
  nowMs: number,
): Pick<PartitionLag, 'records' | 'seconds'> {
  const { position, end, oldestMs } = facts;
  if (position === undefined || end === undefined)
    return { records: undefined, seconds: undefined };
  // The end is older than the position when records were finished after it was asked for.
  const records = end > position ? end - position : 0n;
  if (records === 0n) return { records, seconds: 0 };
  return {
    records,
    seconds: oldestMs === undefined ? undefined : Math.max(0, (nowMs - oldestMs) / 1000),
  };
}
