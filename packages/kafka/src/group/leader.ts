import type { JoinedMember } from '../ports/group-coordinator.ts';
import type { Claimant } from './claims.ts';
import { decodeSubscription, encodeAssignment } from './consumer-protocol.ts';
import { cooperativeShares } from './cooperative-sticky.ts';
import { ownedGeneration } from './owned-generation.ts';

/** The members as their own words describe them; a member whose subscription can't be read wants nothing. */
export function readMembers(members: readonly JoinedMember[]): Claimant[] {
  return members.map(({ memberId, metadata }) => {
    try {
      const subscription = decodeSubscription(metadata);
      const { topics, owned } = subscription;
      const generation = ownedGeneration(subscription);
      return { memberId, topics: new Set(topics), owned, generation };
    } catch {
      return { memberId, topics: new Set<string>(), owned: [], generation: -1 };
    }
  });
}

/** What the leader answers: a share for each member, in the consumer protocol. */
export function encodeShares(
  members: readonly Claimant[],
  partitionCounts: ReadonlyMap<string, number>,
): { readonly memberId: string; readonly assignment: Buffer }[] {
  return [...cooperativeShares(members, partitionCounts)].map(([memberId, share]) => ({
    memberId,
    assignment: encodeAssignment(share),
  }));
}
