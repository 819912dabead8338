import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { Cluster } from '../cluster/cluster.ts';
import { askAgain } from './ask-again.ts';
import { createTopics, type CreatedTopic, type NewTopic } from './create-topics.ts';
import {
  committedBy,
  groupsOf,
  setCommitted,
  type GroupFacts,
  type GroupOffset,
} from './group-admin.ts';
import {
  deleteRecords,
  offsetsOf,
  partitionMissing,
  partitionsOf,
  type PartitionOffset,
} from './topic-admin.ts';
import { describeConfigs } from './topic-configs.ts';

/** The cluster as it describes itself: these are the advertised addresses, to which every client is sent. */
export interface ClusterFacts {
  readonly clusterId: string;
  /** Node id; undefined while there is none. */
  readonly controller: number | undefined;
  readonly brokers: readonly {
    readonly id: number;
    readonly host: string;
    readonly port: number;
  }[];
}

/**
 * A partition: its first offset that is still there, the one after its last (open transactions included), and who
 * leads and keeps it.
 */
export interface AdminPartition {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
  readonly leader: number;
  readonly replicas: readonly number[];
}

/**
 * Questions to Kafka about itself, and the few changes that people make by hand. Leaders and coordinators that are on
 * the move are waited for, 5 s at the most. Every method throws KafkaError: KAFKA_UNAVAILABLE,
 * KAFKA_PARTITION_UNAVAILABLE, KAFKA_AUTH_FAILED, KAFKA_FORBIDDEN, KAFKA_REJECTED; and KAFKA_TOPIC_MISSING where a
 * topic is named.
 */
export interface KafkaAdmin {
  brokers(): Promise<ClusterFacts>;
  /** Names of all topics, sorted; those of Kafka itself (`__consumer_offsets`) too. */
  topics(): Promise<readonly string[]>;
  /** Partitions by number. */
  topicRanges(topic: string): Promise<readonly AdminPartition[]>;
  /** Copies of each partition, the fewest there are. */
  replicationFactor(topic: string): Promise<number>;
  /** Effective settings by name; those that Kafka does not know are left out. */
  topicConfig(topic: string, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** See `createTopics`. */
  createTopics(topics: readonly NewTopic[]): Promise<readonly CreatedTopic[]>;
  /**
   * For each partition the first offset with a timestamp at or after `timeMs` (milliseconds since 1970), or its end
   * if there is none.
   */
  offsetsAt(topic: string, timeMs: number): Promise<readonly PartitionOffset[]>;
  /** See `deleteRecords`. @throws KafkaError KAFKA_PARTITION_MISSING */
  deleteRecords(topic: string, below: readonly PartitionOffset[]): Promise<void>;
  /** Every consumer group, by name. */
  groups(): Promise<readonly GroupFacts[]>;
  /** Everything that the group has committed, by topic and partition; empty for a group that does not exist. */
  groupOffsets(group: string): Promise<readonly GroupOffset[]>;
  /** See `setCommitted`. @throws KafkaError KAFKA_GROUP_NOT_EMPTY, KAFKA_PARTITION_MISSING */
  setGroupOffsets(group: string, topic: string, offsets: readonly PartitionOffset[]): Promise<void>;
  /** Gives the connections up. Never rejects. */
  close(): Promise<void>;
}

/**
 * Connects to Kafka for questions about it, and proves that it answers. Close it.
 * @param log where the connections' troubles are told; each failure is thrown too.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_AUTH_FAILED, KAFKA_UNSUPPORTED
 */
export async function openKafkaAdmin(
  connection: KafkaConnection,
  log: KafkaLog,
): Promise<KafkaAdmin> {
  const cluster = new Cluster(connection, log);
  try {
    await cluster.describe([]);
  } catch (thrown) {
    cluster.close();
    throw thrown;
  }
  return {
    brokers: () => askAgain(() => clusterFacts(cluster)),
    topics: () =>
      askAgain(async () => (await cluster.describe('all')).topics.map(({ topic }) => topic).sort()),
    topicRanges: (topic) => askAgain(() => ranges(cluster, topic)),
    replicationFactor: (topic) =>
      askAgain(async () =>
        Math.min(...(await partitionsOf(cluster, topic)).map(({ replicas }) => replicas.length)),
      ),
    topicConfig: (topic, names) => askAgain(() => config(cluster, topic, names)),
    createTopics: (topics) => createTopics(cluster, topics),
    offsetsAt: (topic, timeMs) => askAgain(() => offsetsAt(cluster, topic, timeMs)),
    deleteRecords: (topic, below) =>
      askAgain(async () =>
        deleteRecords(cluster, topic, await partitionsOf(cluster, topic), below),
      ),
    groups: () => askAgain(() => groupsOf(cluster)),
    groupOffsets: (group) => askAgain(() => committedBy(cluster, group)),
    setGroupOffsets: (group, topic, offsets) =>
      askAgain(async () => {
        const known = await partitionsOf(cluster, topic);
        for (const { partition } of offsets)
          if (!known.some((facts) => facts.partition === partition))
            throw partitionMissing(topic, partition);
        await setCommitted(cluster, group, topic, offsets);
      }),
    close: () => {
      cluster.close();
      return Promise.resolve();
    },
  };
}

async function clusterFacts(cluster: Cluster): Promise<ClusterFacts> {
  const { brokers, controllerId, clusterId } = await cluster.describe([]);
  return {
    clusterId,
    controller: controllerId < 0 ? undefined : controllerId,
    brokers: brokers
      .map(({ nodeId, host, port }) => ({ id: nodeId, host, port }))
      .sort((a, b) => a.id - b.id),
  };
}

async function ranges(cluster: Cluster, topic: string): Promise<AdminPartition[]> {
  const partitions = await partitionsOf(cluster, topic);
  // First the beginnings: retention may move one past an end that was asked before.
  const lows = new Map(
    (await offsetsOf(cluster, topic, partitions, 'earliest')).map((each) => [
      each.partition,
      each.offset,
    ]),
  );
  const facts = new Map(partitions.map((each) => [each.partition, each]));
  return (await offsetsOf(cluster, topic, partitions, 'end')).map(({ partition, offset }) => ({
    partition,
    low: lows.get(partition) ?? 0n,
    high: offset,
    leader: facts.get(partition)?.leader ?? -1,
    replicas: facts.get(partition)?.replicas ?? [],
  }));
}

async function config(
  cluster: Cluster,
  topic: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  await partitionsOf(cluster, topic);
  const [found] = await describeConfigs(cluster, [topic], names);
  if (found?.error) throw found.error;
  return found?.configs ?? new Map();
}

async function offsetsAt(
  cluster: Cluster,
  topic: string,
  timeMs: number,
): Promise<PartitionOffset[]> {
  const partitions = await partitionsOf(cluster, topic);
  const [found, ends] = await Promise.all([
    offsetsOf(cluster, topic, partitions, { timeMs }),
    offsetsOf(cluster, topic, partitions, 'end'),
  ]);
  const ending = new Map(ends.map(({ partition, offset }) => [partition, offset]));
  return found.map(({ partition, offset }) => ({
    partition,
    offset: offset < 0n ? (ending.get(partition) ?? 0n) : offset,
  }));
}
