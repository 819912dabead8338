import type { Clock, KafkaLog } from '@outbound/service-kit';
import type { KafkaError } from '../kafka-error.ts';
import type { GroupCoordinator } from '../ports/group-coordinator.ts';
import type { TopicPartition } from '../ports/partition.ts';
import type { TopicLog } from '../ports/topic-log.ts';
import type { MemberFacts, MemberState } from './member-state.ts';
import type { GroupTopicChange } from './topic-view.ts';

/** A partition that is ours from now on. */
export interface AssignedPartition extends TopicPartition {
  /** Where reading begins: what the group has committed. */
  readonly offset: bigint;
  /** Of the topic that the offset is of; undefined where no broker says. */
  readonly topicId: string | undefined;
}

export interface GroupMemberOptions {
  readonly coordinator: GroupCoordinator;
  readonly log: TopicLog;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly topics: readonly string[];
  /** Where a partition begins of which the group has committed nothing. */
  readonly startAt: 'beginning' | 'end';
  /** Set: a static member. It keeps its place, and its partitions, over a restart within the session timeout. */
  readonly groupInstanceId?: string | undefined;
  /** A static member leaves the group when it stops; every other one does in any case. */
  readonly leavesForGood?: boolean;
  /** A member that is not heard of for this long has lost its partitions. */
  readonly sessionTimeoutMs: number;
  /** How long the group waits for a member that drains what it must give up; above the bound of `onRevoked`. */
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatMs: number;
  /** How often the topics are looked at; default 30 s. */
  readonly topicsMs?: number;
  /** May be called several times for one rebalance, as positions get known. */
  onAssigned(partitions: readonly AssignedPartition[]): void;
  /** The owner drains and commits, and bounds that itself: the next owner waits for it. The rest goes on meanwhile. */
  onRevoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** Not ours any more: nothing of it may be handed out or committed. Also those that are being revoked. */
  onLost(partitions: readonly TopicPartition[]): void;
  onState?(state: MemberState, facts: MemberFacts): void;
  /** Told to people already, in one sentence. */
  onTopicChanged?(change: GroupTopicChange): void;
  /** The member has ended for a reason that only a person can change. */
  onFailed(error: KafkaError): void;
  readonly logger: KafkaLog;
}
