import { partitionKey, type TopicPartition } from '../ports/partition.ts';

interface Share {
  readonly memberId: string;
  readonly topics: ReadonlySet<string>;
  readonly partitions: Map<string, TopicPartition>;
}

/**
 * Shares the partitions out: as evenly as the subscriptions allow (no chain of moves makes a longer share shorter by
 * two or more), and with that done with as few moves as it takes. Who has a partition keeps it, what nobody has goes
 * to the shortest share, and then the longest shares give away: first of what nobody had, and of the rest only when
 * that is not enough. So what was decided once is found again when a part of it is handed over later, and a second
 * sharing out changes nothing. Partitions of a topic that nobody subscribes to are left out.
 * @param owners by `partitionKey`; an owner that is no member or does not subscribe to the topic counts as none.
 */
export function balancedShares(
  members: readonly { readonly memberId: string; readonly topics: ReadonlySet<string> }[],
  partitions: readonly TopicPartition[],
  owners: ReadonlyMap<string, string | undefined>,
): ReadonlyMap<string, readonly TopicPartition[]> {
  const shares = [...members]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map(({ memberId, topics }): Share => ({ memberId, topics, partitions: new Map() }));
  const byId = new Map(shares.map((share) => [share.memberId, share]));
  const free: TopicPartition[] = [];
  const freeKeys = new Set<string>();
  for (const partition of partitions) {
    const key = partitionKey(partition);
    const owner = byId.get(owners.get(key) ?? '');
    if (owner?.topics.has(partition.topic)) owner.partitions.set(key, partition);
    else {
      free.push(partition);
      freeKeys.add(key);
    }
  }
  for (const partition of free) {
    let shortest: Share | undefined;
    for (const share of shares)
      if (
        share.topics.has(partition.topic) &&
        (shortest === undefined || share.partitions.size < shortest.partitions.size)
      )
        shortest = share;
    shortest?.partitions.set(partitionKey(partition), partition);
  }
  while (improve(shares, (key) => freeKeys.has(key)));
  while (improve(shares, () => true));
  return new Map(shares.map(({ memberId, partitions: own }) => [memberId, [...own.values()]]));
}

/**
 * Makes one long share shorter and one that is shorter by two or more longer, over as many others as lie between
 * them; false if there are no such two. Without such a chain the shares are as even as they can be (Harvey, Ladner,
 * Lovász, Tamir: Semi-matchings for bipartite graphs and load balancing, 2006).
 */
function improve(shares: readonly Share[], mayMove: (key: string) => boolean): boolean {
  const longestFirst = [...shares].sort((a, b) => b.partitions.size - a.partitions.size);
  const shortest = longestFirst.at(-1)?.partitions.size ?? 0;
  for (const from of longestFirst) {
    if (from.partitions.size < shortest + 2) return false;
    const chain = chainFrom(from, shares, mayMove);
    if (!chain) continue;
    for (const { giver, taker, key } of chain) {
      const partition = giver.partitions.get(key);
      if (partition === undefined) continue;
      giver.partitions.delete(key);
      taker.partitions.set(key, partition);
    }
    return true;
  }
  return false;
}

interface Move {
  readonly giver: Share;
  readonly taker: Share;
  readonly key: string;
}

/**
 * The shortest chain of moves from a share to one that is shorter by two or more; the last move first, so that a
 * share never gives on what it only just took.
 */
function chainFrom(
  start: Share,
  shares: readonly Share[],
  mayMove: (key: string) => boolean,
): Move[] | undefined {
  const reachedBy = new Map<Share, Move | undefined>([[start, undefined]]);
  const queue = [start];
  for (const giver of queue) {
    // One partition of each topic is enough: all of a topic may go to the same members.
    const movable = new Map<string, string>();
    for (const [key, { topic }] of giver.partitions) if (mayMove(key)) movable.set(topic, key);
    let end: Share | undefined;
    for (const [topic, key] of movable)
      for (const taker of shares) {
        if (reachedBy.has(taker) || !taker.topics.has(topic)) continue;
        reachedBy.set(taker, { giver, taker, key });
        queue.push(taker);
        if (
          taker.partitions.size + 2 <= start.partitions.size &&
          (end === undefined || taker.partitions.size < end.partitions.size)
        )
          end = taker;
      }
    if (end === undefined) continue;
    const chain: Move[] = [];
    for (let move = reachedBy.get(end); move; move = reachedBy.get(move.giver)) chain.push(move);
    return chain;
  }
  return undefined;
}
