import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import { balancedShares } from './balanced-shares.ts';
import { ownersByClaim, type Claimant } from './claims.ts';

/** Under this name Java's CooperativeStickyAssignor and librdkafka offer the same rules. */
export const cooperativeSticky = 'cooperative-sticky';

/**
 * A share for each member, as the leader of a cooperative group gives it (KIP-429): sticky and balanced, but what
 * somebody still has is given to nobody else. Its owner finds it missing, gives it up and joins again, and that next
 * rebalance gives it to whom it was meant for. So no partition ever has two owners, and whoever keeps a partition
 * never stops.
 * @param partitionCounts of each topic; one that is not in it has no partitions now.
 */
export function cooperativeShares(
  members: readonly Claimant[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartition[]> {
  const topics = new Set(members.flatMap((member) => [...member.topics]));
  const partitions = [...topics].sort().flatMap((topic) =>
    Array.from({ length: partitionCounts.get(topic) ?? 0 }, (_, partition) => ({
      topic,
      partition,
    })),
  );
  const owners = ownersByClaim(members);
  const shares = new Map<string, readonly TopicPartition[]>();
  for (const [memberId, share] of balancedShares(members, partitions, owners))
    shares.set(
      memberId,
      share.filter((partition) => {
        const key = partitionKey(partition);
        return !owners.has(key) || owners.get(key) === memberId;
      }),
    );
  return shares;
}
