import { createKafkaClient } from '@outbound/consumer';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import kafkajs, { type Admin } from 'kafkajs';
import { kafkaCliError, notAnswering } from './kafka-cli-error.ts';
import {
  committed,
  coordinated,
  groupFacts,
  setOffsets,
  type GroupFacts,
  type GroupOffset,
} from './kafka-groups.ts';
import { byPartition, partitionsOf, type PartitionOffset } from './topic-partitions.ts';

export type { GroupFacts, GroupOffset } from './kafka-groups.ts';
export type { PartitionOffset } from './topic-partitions.ts';

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

/** A partition: its first offset that is still there, the one after its last, and its leader's node id (undefined: none now). */
export interface AdminPartition {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
  readonly leader: number | undefined;
}

/** Questions to Kafka about itself. Every method throws CliError: KAFKA_UNAVAILABLE (exit 5), KAFKA_AUTH_FAILED, KAFKA_FORBIDDEN, KAFKA_FAILED. */
export interface KafkaAdmin {
  brokers(): Promise<ClusterFacts>;
  /** Names of all topics, sorted; those of Kafka itself (`__consumer_offsets`) too. */
  topics(): Promise<readonly string[]>;
  /** Partitions by number. @throws CliError TOPIC_MISSING, exit 2 */
  topicRanges(topic: string): Promise<readonly AdminPartition[]>;
  /** Copies of each partition, the fewest there are. @throws CliError TOPIC_MISSING, exit 2 */
  replicationFactor(topic: string): Promise<number>;
  /** Settings by name; those that Kafka does not know are left out. @throws CliError TOPIC_MISSING */
  topicConfig(topic: string, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** For each partition the first offset with a timestamp at or after `timeMs` (milliseconds since 1970), or its end if there is none. @throws CliError TOPIC_MISSING */
  offsetsAt(topic: string, timeMs: number): Promise<readonly PartitionOffset[]>;
  /** Every consumer group, by name. */
  groups(): Promise<readonly GroupFacts[]>;
  /** Everything that the group has committed, by topic and partition; empty for a group that does not exist. */
  groupOffsets(group: string): Promise<readonly GroupOffset[]>;
  /**
   * Sets where the group begins when it starts again; partitions that are not named stay. Read back before it resolves.
   * @throws CliError GROUP_NOT_EMPTY with the members' names (exit 6): a running member would go on from its own position and commit over ours. TOPIC_MISSING.
   */
  setGroupOffsets(group: string, topic: string, offsets: readonly PartitionOffset[]): Promise<void>;
  /** Deletes the records below each offset, as retention does; they do not come back. @throws CliError TOPIC_MISSING */
  deleteRecords(topic: string, below: readonly PartitionOffset[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Connects to Kafka for questions about it, and proves that it answers. Close it.
 * @param log where the client's own warnings go; nowhere by default, since each failure is thrown.
 * @throws CliError KAFKA_UNAVAILABLE after `connectTimeoutMs`, with the client's last complaint; KAFKA_AUTH_FAILED
 */
export async function openKafkaAdmin(
  connection: KafkaConnection,
  log?: KafkaLog,
): Promise<KafkaAdmin> {
  let complaint = 'no answer';
  const complain: KafkaLog['warn'] = (fields, message) => {
    complaint = message.replace(/^Failed to connect to seed broker, .*?: /, '');
    log?.warn(fields, message);
  };
  const admin = createKafkaClient(
    connection,
    {
      info: (fields, message) => log?.info(fields, message),
      warn: complain,
      error: complain,
    },
    { retries: 3 },
  ).admin();
  const ask = async <Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await question();
    } catch (thrown) {
      throw kafkaCliError(thrown, what, connection.brokers);
    }
  };
  try {
    await within(
      connection.connectTimeoutMs,
      // kafkajs calls a broker connected whose socket is open, even one that never says a word.
      ask('connecting', () => admin.connect().then(() => admin.describeCluster())),
      () => notAnswering('connecting', connection.brokers, complaint),
    );
  } catch (thrown) {
    admin.disconnect().catch(() => undefined);
    throw thrown;
  }
  const aboutTopic = async <Answer>(topic: string, question: () => Promise<Answer>) =>
    ask(`topic ${topic}`, async () => {
      await partitionsOf(admin, topic);
      return question();
    });
  return {
    brokers: () => ask('describing the cluster', () => clusterFacts(admin)),
    topics: () => ask('listing topics', async () => (await admin.listTopics()).sort()),
    topicRanges: (topic) => ask(`topic ${topic}`, () => ranges(admin, topic)),
    replicationFactor: (topic) =>
      ask(`topic ${topic}`, async () =>
        Math.min(...(await partitionsOf(admin, topic)).map(({ replicas }) => replicas.length)),
      ),
    topicConfig: (topic, names) => aboutTopic(topic, () => config(admin, topic, names)),
    offsetsAt: (topic, timeMs) =>
      aboutTopic(topic, async () =>
        byPartition(await admin.fetchTopicOffsetsByTimestamp(topic, timeMs)),
      ),
    groups: () => ask('listing groups', () => coordinated(() => groupFacts(admin))),
    groupOffsets: (group) =>
      ask(`group ${group}`, () => coordinated(() => committed(admin, group))),
    setGroupOffsets: (group, topic, offsets) =>
      ask(`group ${group} on topic ${topic}`, () =>
        coordinated(() => setOffsets(admin, group, topic, offsets)),
      ),
    deleteRecords: (topic, below) =>
      aboutTopic(topic, () =>
        admin.deleteTopicRecords({
          topic,
          partitions: below.map(({ partition, offset }) => ({ partition, offset: `${offset}` })),
        }),
      ),
    close: () => admin.disconnect(),
  };
}

async function clusterFacts(admin: Admin): Promise<ClusterFacts> {
  const { brokers, controller, clusterId } = await admin.describeCluster();
  return {
    clusterId,
    controller: controller ?? undefined,
    brokers: brokers
      .map(({ nodeId, host, port }) => ({ id: nodeId, host, port }))
      .sort((a, b) => a.id - b.id),
  };
}

async function ranges(admin: Admin, topic: string): Promise<AdminPartition[]> {
  const partitions = await partitionsOf(admin, topic);
  const leaders = new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]));
  return (await admin.fetchTopicOffsets(topic))
    .map(({ partition, low, high }) => {
      const leader = leaders.get(partition);
      return {
        partition,
        low: BigInt(low),
        high: BigInt(high),
        leader: leader === undefined || leader < 0 ? undefined : leader,
      };
    })
    .sort((a, b) => a.partition - b.partition);
}

async function config(admin: Admin, topic: string, names: readonly string[]) {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [
      {
        // Of the default: Node does not find this name among the exports of a CommonJS module.
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configNames: [...names],
      },
    ],
  });
  // kafkajs' types say that a value is always there; a sensitive one is null.
  const entries: readonly { configName: string; configValue: string | null }[] =
    resources[0]?.configEntries ?? [];
  return new Map(
    entries.flatMap(({ configName, configValue }): [string, string][] =>
      configValue === null ? [] : [[configName, configValue]],
    ),
  );
}

/** The work's outcome, or the error if it takes longer; its own later failure is of no interest then. */
async function within<Outcome>(
  timeoutMs: number,
  work: Promise<Outcome>,
  late: () => Error,
): Promise<Outcome> {
  return new Promise<Outcome>((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
