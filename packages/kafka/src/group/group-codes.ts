import { KafkaError } from '../kafka-error.ts';

/** Kafka's error codes that a group's member meets (Errors.java). */
export const groupCode = {
  none: 0,
  unknownTopicOrPartition: 3,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  inconsistentProtocol: 23,
  invalidGroupId: 24,
  unknownMember: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicForbidden: 29,
  groupForbidden: 30,
  unsupportedVersion: 35,
  memberIdRequired: 79,
  groupFull: 81,
  fencedInstance: 82,
  unstableOffsets: 88,
} as const;

/**
 * What the coordinator's answer to a join, a sync, a heartbeat or a commit means for the member:
 * - `fine`;
 * - `rejoin`: the group shares out anew; we keep what we have;
 * - `lost`: the group goes on without us; nothing that we had is ours;
 * - `name`: join again under the id that came with the answer;
 * - `again`: nothing was decided: ask again soon, it heals by itself;
 * - `fail`: only a person can change it (`groupFailure` says what).
 */
export type Verdict = 'fine' | 'rejoin' | 'lost' | 'name' | 'again' | 'fail';

/** @param code of an answer. A code that we do not know is `again`: what heals is waited for. */
export function groupVerdict(code: number): Verdict {
  switch (code) {
    case groupCode.none:
      return 'fine';
    case groupCode.rebalanceInProgress:
      return 'rejoin';
    case groupCode.illegalGeneration:
    case groupCode.unknownMember:
      return 'lost';
    case groupCode.memberIdRequired:
      return 'name';
    case groupCode.inconsistentProtocol:
    case groupCode.invalidGroupId:
    case groupCode.invalidSessionTimeout:
    case groupCode.topicForbidden:
    case groupCode.groupForbidden:
    case groupCode.unsupportedVersion:
    case groupCode.groupFull:
    case groupCode.fencedInstance:
      return 'fail';
    default:
      return 'again';
  }
}

/** What a person has to know of a code whose verdict is `fail`. */
export function groupFailure(
  code: number,
  {
    groupInstanceId,
    sessionTimeoutMs,
  }: { readonly groupInstanceId?: string | undefined; readonly sessionTimeoutMs?: number } = {},
): KafkaError {
  const failure = (name: ConstructorParameters<typeof KafkaError>[0], message: string) =>
    new KafkaError(name, message, { kafkaCode: code });
  switch (code) {
    case groupCode.fencedInstance:
      return failure(
        'KAFKA_FENCED',
        `another member has joined as the static member "${groupInstanceId ?? ''}" and has taken this one's place: give each process a group instance id of its own`,
      );
    case groupCode.inconsistentProtocol:
      return failure(
        'KAFKA_REJECTED',
        'the group has members that do not offer the assignor cooperative-sticky, and every member of a group must: stop them all first, or give them ' +
          'cooperative-sticky (Java: partition.assignment.strategy with CooperativeStickyAssignor; librdkafka: partition.assignment.strategy=cooperative-sticky)',
      );
    case groupCode.invalidSessionTimeout:
      return failure(
        'KAFKA_REJECTED',
        `the brokers refuse a session timeout of ${sessionTimeoutMs ?? 'that many'} ms: choose one between their group.min.session.timeout.ms and group.max.session.timeout.ms`,
      );
    case groupCode.groupFull:
      return failure(
        'KAFKA_REJECTED',
        "the group has as many members as the brokers' group.max.size allows: start fewer members, or raise it",
      );
    case groupCode.groupForbidden:
      return failure(
        'KAFKA_FORBIDDEN',
        'this user may not read in the group: grant READ on the GROUP',
      );
    case groupCode.topicForbidden:
      return failure(
        'KAFKA_FORBIDDEN',
        'this user may not commit on one of the topics: grant READ on the TOPIC',
      );
    case groupCode.unsupportedVersion:
      return failure(
        'KAFKA_UNSUPPORTED',
        groupInstanceId === undefined
          ? 'the coordinator does not know the versions that a member needs'
          : 'the coordinator does not know static members: leave the group instance id out, or use brokers from Kafka 2.4 on',
      );
    default:
      return failure('KAFKA_REJECTED', `the coordinator refuses this member with code ${code}`);
  }
}
