import { setTimeout as delay } from 'node:timers/promises';
import type { Admin, GroupDescription } from 'kafkajs';
import { CliError, exitCodes } from '../exit-codes.ts';
import { partitionsOf, type PartitionOffset } from './topic-partitions.ts';

/** A consumer group. */
export interface GroupFacts {
  readonly group: string;
  /**
   * `Stable`, `Empty`, `PreparingRebalance` …. `Unknown` for a group that is listed and not described: it follows the protocol of KIP-848,
   * which the classic request does not show. Its offsets can be read all the same.
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

/** kafkajs' names of Kafka's codes 14, 15 and 16. */
const coordinatorMoves = [
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
];
const tries = 20;
const pauseMs = 250;

/**
 * Asks again while a group's coordinator moves or loads, which is when a cluster is new or a broker has gone: for up to 5 s. kafkajs does so for some of its questions
 * and not for all.
 */
export async function coordinated<Answer>(question: () => Promise<Answer>): Promise<Answer> {
  for (let left = tries; ; left -= 1) {
    try {
      return await question();
    } catch (thrown) {
      const type = (thrown as { readonly type?: unknown } | undefined)?.type;
      if (left === 0 || !coordinatorMoves.includes(String(type))) throw thrown;
      await delay(pauseMs);
    }
  }
}

/** Every group of the cluster, by name. */
export async function groupFacts(admin: Admin): Promise<GroupFacts[]> {
  const { groups: listed } = await admin.listGroups();
  if (listed.length === 0) return [];
  const { groups } = await admin.describeGroups(listed.map(({ groupId }) => groupId));
  const described = new Map(groups.map((group) => [group.groupId, group]));
  return listed
    .map(({ groupId, protocolType }) =>
      toGroupFacts({ group: groupId, protocolType }, described.get(groupId)),
    )
    .sort((a, b) => (a.group < b.group ? -1 : 1));
}

/** A group that is listed is not dead: it only speaks another protocol. */
function toGroupFacts(
  listed: { readonly group: string; readonly protocolType: string },
  described: GroupDescription | undefined,
): GroupFacts {
  return {
    ...listed,
    state: described === undefined || described.state === 'Dead' ? 'Unknown' : described.state,
    members: (described?.members ?? []).map(({ memberId, clientId, clientHost }) => ({
      id: memberId,
      clientId,
      host: clientHost.replace(/^\//, ''),
    })),
  };
}

/** What the group has committed, by topic and partition. */
export async function committed(admin: Admin, group: string): Promise<GroupOffset[]> {
  return (await admin.fetchOffsets({ groupId: group }))
    .flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({
        topic,
        partition,
        offset: offset === '-1' ? undefined : BigInt(offset),
      })),
    )
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}

/** Moves an empty group; see `KafkaAdmin.setGroupOffsets`. */
export async function setOffsets(
  admin: Admin,
  group: string,
  topic: string,
  offsets: readonly PartitionOffset[],
): Promise<void> {
  const known = new Set((await partitionsOf(admin, topic)).map(({ partitionId }) => partitionId));
  for (const { partition } of offsets)
    if (!known.has(partition))
      throw new CliError('PARTITION_MISSING', `topic ${topic} has no partition ${partition}`, {
        exitCode: exitCodes.usage,
      });
  const facts = (await groupFacts(admin)).find((each) => each.group === group);
  if (facts && facts.state !== 'Empty')
    throw new CliError(
      'GROUP_NOT_EMPTY',
      facts.state === 'Unknown'
        ? `group ${group} uses Kafka's newer group protocol, and whether it has members cannot be seen from here: stop it and set its offsets with kafka-consumer-groups.sh --reset-offsets`
        : `group ${group} is ${facts.state} with ${facts.members.length} members (${facts.members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ')}): stop them, and wait until the group is empty`,
      { exitCode: exitCodes.busy },
    );
  await admin.setOffsets({
    groupId: group,
    topic,
    partitions: offsets.map(({ partition, offset }) => ({ partition, offset: `${offset}` })),
  });
  const now = await committed(admin, group);
  for (const { partition, offset } of offsets) {
    const stored = now.find((each) => each.topic === topic && each.partition === partition);
    if (stored?.offset !== offset)
      throw new CliError(
        'KAFKA_FAILED',
        `group ${group}: partition ${partition} of ${topic} is at ${stored?.offset ?? 'nothing'} and not at ${offset}: a member joined meanwhile; look at the group and try again`,
      );
  }
}
