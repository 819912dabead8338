import { offsetCommitApi } from '../apis/offset-commit-api.ts';
import { offsetFetchApi } from '../apis/offset-fetch-api.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { brokerAddress } from '../cluster/known-brokers.ts';
import type { BrokerLink } from '../connection/broker-link.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode } from '../kafka-errors.ts';
import { findCoordinator } from '../reads/find-coordinator.ts';
import type { PartitionOffset } from './topic-admin.ts';

/** A consumer group. */
export interface GroupFacts {
  readonly group: string;
  /**
   * `Stable`, `Empty`, `PreparingRebalance` …. `Unknown` for a group that is listed and not described: it follows the
   * protocol of KIP-848, which the classic request does not show. Its offsets can be read all the same.
   */
  readonly state: string;
  readonly protocolType: string;
  readonly members: readonly {
    readonly id: string;
    readonly clientId: string;
    readonly host: string;
  }[];
}

/** What a group has committed. `offset` undefined: nothing on this partition. */
export interface GroupOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint | undefined;
}

interface ListGroupsAnswer {
  readonly errorCode: number;
  readonly groups: readonly { readonly groupId: string; readonly protocolType: string }[];
}
interface DescribeGroupsAnswer {
  readonly groups: readonly {
    readonly errorCode: number;
    readonly groupId: string;
    readonly state: string;
    readonly members: readonly {
      readonly memberId: string;
      readonly clientId: string;
      readonly clientHost: string;
    }[];
  }[];
}

const groupIdNotFound = 69;
const unknownMember = 25;

/**
 * Every group of the cluster, by name: each broker tells of those that it coordinates.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_FORBIDDEN
 */
export async function groupsOf(cluster: Cluster): Promise<GroupFacts[]> {
  const { brokers } = await cluster.describe([]);
  const groups = await Promise.all(brokers.map(({ nodeId }) => groupsAt(cluster.link(nodeId))));
  return groups.flat().sort((a, b) => (a.group < b.group ? -1 : 1));
}

async function groupsAt(link: BrokerLink): Promise<GroupFacts[]> {
  const listed = await link.ask<ListGroupsAnswer>('ListGroups', {});
  if (listed.errorCode !== 0) throw errorFromCode(listed.errorCode, `groups of ${link.address}`);
  if (listed.groups.length === 0) return [];
  const { groups } = await link.ask<DescribeGroupsAnswer>('DescribeGroups', {
    groupIds: listed.groups.map(({ groupId }) => groupId),
  });
  const described = new Map(groups.map((group) => [group.groupId, group]));
  return listed.groups.map(({ groupId, protocolType }) => {
    const facts = described.get(groupId);
    if (facts && facts.errorCode !== 0 && facts.errorCode !== groupIdNotFound)
      throw errorFromCode(facts.errorCode, `group ${groupId}`);
    // A group that is listed is not dead: it only speaks another protocol.
    const isKnown = facts?.errorCode === 0 && facts.state !== 'Dead';
    return {
      group: groupId,
      state: isKnown ? facts.state : 'Unknown',
      protocolType,
      members: (facts?.members ?? []).map(({ memberId, clientId, clientHost }) => ({
        id: memberId,
        clientId,
        host: clientHost.replace(/^\//, ''),
      })),
    };
  });
}

/**
 * Everything that the group has committed, by topic and partition; empty for a group that does not exist.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_FORBIDDEN
 */
export async function committedBy(cluster: Cluster, group: string): Promise<GroupOffset[]> {
  const link = await coordinatorOf(cluster, group);
  const answer = await link.request(offsetFetchApi, { groupId: group, partitions: undefined });
  if (answer.errorCode !== 0) throw errorFromCode(answer.errorCode, `group ${group}`);
  return answer.partitions
    .map(({ topic, partition, offset, errorCode }) => {
      if (errorCode !== 0)
        throw errorFromCode(errorCode, `group ${group} on ${topic}/${partition}`);
      return { topic, partition, offset: offset < 0n ? undefined : offset };
    })
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}

/**
 * Sets where a group begins when it starts again; partitions that are not named stay. Read back before it resolves.
 * @throws KafkaError KAFKA_GROUP_NOT_EMPTY with the members' names: a running member would go on from its own
 * position and commit over ours. KAFKA_UNAVAILABLE, KAFKA_FORBIDDEN.
 */
export async function setCommitted(
  cluster: Cluster,
  group: string,
  topic: string,
  offsets: readonly PartitionOffset[],
): Promise<void> {
  const facts = (await groupsOf(cluster)).find((each) => each.group === group);
  if (facts && facts.state !== 'Empty') throw notEmpty(facts);
  const link = await coordinatorOf(cluster, group);
  const { partitions } = await link.request(offsetCommitApi, {
    groupId: group,
    // Nobody's: a broker takes it for a group without members only.
    member: { memberId: '', groupInstanceId: undefined, generationId: -1 },
    entries: offsets.map(({ partition, offset }) => ({ topic, partition, offset, metadata: '' })),
  });
  for (const { partition, errorCode } of partitions) {
    if (errorCode === unknownMember) throw joinedMeanwhile(group);
    if (errorCode !== 0) throw errorFromCode(errorCode, `group ${group} on ${topic}/${partition}`);
  }
  const now = await committedBy(cluster, group);
  for (const { partition, offset } of offsets) {
    const stored = now.find((each) => each.topic === topic && each.partition === partition);
    if (stored?.offset !== offset) throw joinedMeanwhile(group);
  }
}

async function coordinatorOf(cluster: Cluster, group: string): Promise<BrokerLink> {
  // Learns every broker, the coordinator among them.
  const { brokers } = await cluster.describe([]);
  const { errorCode, address } = await findCoordinator(cluster, group);
  if (errorCode !== 0) throw errorFromCode(errorCode, `coordinator of group ${group}`);
  const broker = brokers.find(({ host, port }) => brokerAddress(host, port) === address);
  if (!broker)
    throw new KafkaError('KAFKA_UNAVAILABLE', `coordinator of group ${group}: ${address} is away`);
  return cluster.link(broker.nodeId);
}

function notEmpty({ group, state, members }: GroupFacts): KafkaError {
  return new KafkaError(
    'KAFKA_GROUP_NOT_EMPTY',
    state === 'Unknown'
      ? `group ${group} uses Kafka's newer group protocol, and whether it has members cannot be seen from here: stop it and set its offsets with kafka-consumer-groups.sh --reset-offsets`
      : `group ${group} is ${state} with ${members.length} members (${members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ')}): stop them, and wait until the group is empty`,
  );
}

function joinedMeanwhile(group: string): KafkaError {
  return new KafkaError(
    'KAFKA_GROUP_NOT_EMPTY',
    `group ${group}: a member joined meanwhile; look at the group and try again`,
  );
}
