import { openKafkaAdmin as openAdmin, type KafkaAdmin } from '@outbound/kafka';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { kafkaCliError } from './kafka-cli-error.ts';
import { silentLog } from './silent-log.ts';

export type {
  AdminPartition,
  ClusterFacts,
  GroupFacts,
  GroupOffset,
  KafkaAdmin,
  PartitionOffset,
} from '@outbound/kafka';

/**
 * Kafka's answers to questions about itself, and its errors as the command line tells them: every method throws
 * CliError with an exit code.
 * @param log where the connections' own warnings go; nowhere by default, since each failure is thrown.
 * @throws CliError KAFKA_UNAVAILABLE (exit 5) if no broker answers; KAFKA_AUTH_FAILED
 */
export async function openKafkaAdmin(
  connection: KafkaConnection,
  log: KafkaLog = silentLog,
): Promise<KafkaAdmin> {
  const { brokers } = connection;
  const ask = async <Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await question();
    } catch (thrown) {
      throw kafkaCliError(thrown, what, brokers);
    }
  };
  const admin = await ask('connecting', () => openAdmin(connection, log));
  const about = (topic: string) => `topic ${topic}`;
  return {
    brokers: () => ask('describing the cluster', () => admin.brokers()),
    topics: () => ask('listing topics', () => admin.topics()),
    topicRanges: (topic) => ask(about(topic), () => admin.topicRanges(topic)),
    replicationFactor: (topic) => ask(about(topic), () => admin.replicationFactor(topic)),
    topicConfig: (topic, names) => ask(about(topic), () => admin.topicConfig(topic, names)),
    createTopics: (topics) => ask('creating topics', () => admin.createTopics(topics)),
    offsetsAt: (topic, timeMs) => ask(about(topic), () => admin.offsetsAt(topic, timeMs)),
    deleteRecords: (topic, below) => ask(about(topic), () => admin.deleteRecords(topic, below)),
    groups: () => ask('listing groups', () => admin.groups()),
    groupOffsets: (group) => ask(`group ${group}`, () => admin.groupOffsets(group)),
    setGroupOffsets: (group, topic, offsets) =>
      ask(about(topic), () => admin.setGroupOffsets(group, topic, offsets)),
    close: () => admin.close(),
  };
}
