import { keyBytes } from '@outbound/kafka';
import { partitionOf } from '@outbound/contract';
import type { RedriveRequest } from './redrive-journal.ts';

/**
 * The partition whose member carries a request out: that of the last letter. A topic that was deleted and made again with fewer may not have it any more, and nobody would do
 * anything with the letters for ever; then it is the one to which events of the key go now, by the partitioner of Java and of ours, since only its member knows of
 * letters that come behind. Pure.
 * @param count how many partitions the topic has; undefined while it is not there: nobody has any.
 */
export function carryingPartition(
  { partition, key }: Pick<RedriveRequest, 'partition' | 'key'>,
  count: number | undefined,
): number {
  if (count === undefined || partition < count) return partition;
  return key === null ? partition % count : partitionOf(keyBytes(key), count);
}
