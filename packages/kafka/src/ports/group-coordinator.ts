import type { TopicPartition } from './partition.ts';

/** Who a member is to its coordinator; every request of a member is fenced by it. */
export interface MemberIdentity {
  /** Given by the coordinator at the first join; empty before. */
  readonly memberId: string;
  /** Set for a static member: it keeps its place over a restart. */
  readonly groupInstanceId: string | undefined;
  /** −1 before the first join. */
  readonly generationId: number;
}

/** A way of sharing out the partitions that a member offers; `metadata` is its subscription in the consumer protocol. */
export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

export interface JoinRequest {
  readonly memberId: string;
  readonly groupInstanceId: string | undefined;
  /** A member that is not heard of for this long is thrown out. */
  readonly sessionTimeoutMs: number;
  /** How long the coordinator waits for members that have not joined again. */
  readonly rebalanceTimeoutMs: number;
  /** The most wanted first. */
  readonly protocols: readonly GroupProtocol[];
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | undefined;
  readonly metadata: Buffer;
}

/** Kafka's code, and what else is there if it is 0; with MEMBER_ID_REQUIRED (79) only `memberId`. */
export interface JoinAnswer {
  readonly errorCode: number;
  readonly generationId: number;
  readonly protocolName: string;
  readonly leaderId: string;
  readonly memberId: string;
  /** Everybody, if we lead; else empty. */
  readonly members: readonly JoinedMember[];
}

export interface SyncAnswer {
  readonly errorCode: number;
  /** Our share, in the consumer protocol. */
  readonly assignment: Buffer;
}

/** A position as the group keeps it. */
export interface CommittedOffset extends TopicPartition {
  /** Kafka's code; 0 is fine. */
  readonly errorCode: number;
  /** Next record to read; −1: nothing committed. */
  readonly offset: bigint;
  /** What was stored with it; empty if nothing. */
  readonly metadata: string;
}

export interface CommitEntry extends TopicPartition {
  /** Next record to read. */
  readonly offset: bigint;
  readonly metadata: string;
}

export interface CommitAnswer extends TopicPartition {
  readonly errorCode: number;
}

/**
 * Port: one group's coordinator. Real form: over a cluster's connections; in-memory form: the simulator's. Finds the coordinator when none is known, and again after
 * an answer or a failure that says it is elsewhere; tries no request again by itself. Answers carry Kafka's codes; a rejection is no answer: the request may have
 * been carried out all the same.
 * A join and a sync wait for the other members, and have a connection of their own: heartbeats and commits go on beside them.
 * Every method @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_AUTH_FAILED
 */
export interface GroupCoordinator {
  join(request: JoinRequest): Promise<JoinAnswer>;
  /** @param assignments a share for each member, from the leader; else empty. */
  sync(
    member: MemberIdentity,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  ): Promise<SyncAnswer>;
  heartbeat(member: MemberIdentity): Promise<{ readonly errorCode: number }>;
  /** Gives the place up. A static member that means to come back does not call it. */
  leave(member: MemberIdentity): Promise<{ readonly errorCode: number }>;
  commit(member: MemberIdentity, entries: readonly CommitEntry[]): Promise<readonly CommitAnswer[]>;
  /** What the group has committed on these partitions; an entry for each. */
  committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedOffset[]>;
  /** Gives up its connections; what is out is rejected. */
  close(): void;
}
