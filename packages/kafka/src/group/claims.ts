import { partitionKey, type TopicPartition } from '../ports/partition.ts';

/** A member as the leader sees it. */
export interface Claimant {
  readonly memberId: string;
  readonly topics: ReadonlySet<string>;
  /** What it has, and goes on with until it is told otherwise. */
  readonly owned: readonly TopicPartition[];
  /** In which it got that; −1: it does not say. */
  readonly generation: number;
}

/**
 * Who counts as the owner of each partition that somebody claims, by `partitionKey`: of two claims the one of the
 * higher generation, because the other member has missed what was decided since; of two of one generation nobody's
 * (undefined): one of them is wrong and nobody can tell which.
 */
export function ownersByClaim(members: readonly Claimant[]): Map<string, string | undefined> {
  const best = new Map<string, { owner: string | undefined; generation: number }>();
  for (const { memberId, owned, generation } of members)
    for (const partition of owned) {
      const key = partitionKey(partition);
      const other = best.get(key);
      if (other === undefined || generation > other.generation)
        best.set(key, { owner: memberId, generation });
      else if (generation === other.generation && other.owner !== memberId) other.owner = undefined;
    }
  return new Map([...best].map(([key, { owner }]) => [key, owner]));
}
