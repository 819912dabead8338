import type { GroupProtocol, JoinAnswer, JoinRequest, SyncAnswer } from '@outbound/kafka';
import type { Timer } from '../scheduler.ts';

/** A member as its coordinator keeps it. */
export interface MemberState {
  memberId: string;
  readonly instanceId: string | undefined;
  /** The reader's process behind it. */
  reader: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly GroupProtocol[];
  assignment: Buffer;
  /** Set while its join waits for the others. */
  answerJoin: ((answer: JoinAnswer) => void) | undefined;
  /** Set while its sync waits for the leader. */
  answerSync: ((answer: SyncAnswer) => void) | undefined;
  hasSynced: boolean;
  expiry: Timer | undefined;
}

export function newMember(memberId: string, reader: string, request: JoinRequest): MemberState {
  return {
    memberId,
    instanceId: request.groupInstanceId,
    reader,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    protocols: request.protocols,
    assignment: Buffer.alloc(0),
    answerJoin: undefined,
    answerSync: undefined,
    hasSynced: false,
    expiry: undefined,
  };
}

/** As it is written down: what waits and what is timed is lost with the coordinator. */
export function persistedMember(member: MemberState): MemberState {
  return { ...member, answerJoin: undefined, answerSync: undefined, expiry: undefined };
}

/** Whether a join says what the member has said before. Source: Kafka's `MemberMetadata.matches`. */
export function matches({ protocols }: MemberState, offered: readonly GroupProtocol[]): boolean {
  return (
    protocols.length === offered.length &&
    protocols.every(({ name, metadata }, index) => {
      const other = offered[index];
      return other?.name === name && other.metadata.equals(metadata);
    })
  );
}

/** The protocol that all of them know and most of them want; undefined if they have none in common. */
export function selectProtocol(members: readonly MemberState[]): string | undefined {
  const isCommon = (name: string): boolean =>
    members.every(({ protocols }) => protocols.some((each) => each.name === name));
  const votes = new Map<string, number>();
  for (const { protocols } of members) {
    const wanted = protocols.find(({ name }) => isCommon(name))?.name;
    if (wanted !== undefined) votes.set(wanted, (votes.get(wanted) ?? 0) + 1);
  }
  return [...votes].sort(([, a], [, b]) => b - a)[0]?.[0];
}

export function refusedJoin(errorCode: number, memberId = ''): JoinAnswer {
  return {
    errorCode,
    generationId: -1,
    protocolName: '',
    leaderId: '',
    memberId,
    members: [],
  };
}
