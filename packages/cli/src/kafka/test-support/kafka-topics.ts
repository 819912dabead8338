import { randomBytes } from 'node:crypto';
import type { KafkaCluster } from '@outbound/local-stack';
import type { KafkaConnection } from '@outbound/service-kit';
import { eventually } from '../../../../../test/support/eventually.ts';
import { Kafka, logLevel, Partitioners, type Message } from 'kafkajs';

/** How tests reach a cluster. */
export function connectionTo(kafka: Pick<KafkaCluster, 'bootstrap'>): KafkaConnection {
  return {
    brokers: kafka.bootstrap,
    clientId: 'cli-test',
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5000,
  };
}

/** A client that has nothing to do with what is tested. */
export function plainClient(kafka: Pick<KafkaCluster, 'bootstrap'>): Kafka {
  return new Kafka({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING });
}

/** A new topic under a name of its own. @returns the name */
export async function newTopic(
  kafka: KafkaCluster,
  { partitions = 1, configs = {} }: { partitions?: number; configs?: Record<string, string> } = {},
): Promise<string> {
  const topic = `cli-${randomBytes(5).toString('hex')}`;
  const admin = plainClient(kafka).admin();
  await admin.connect();
  try {
    await admin.createTopics({
      waitForLeaders: false,
      topics: [
        {
          topic,
          numPartitions: partitions,
          configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
        },
      ],
    });
    // kafkajs' own waiting gives up at a broker that has not heard of the topic yet.
    await eventually(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.every(({ leader }) => leader >= 0);
    });
  } finally {
    await admin.disconnect();
  }
  return topic;
}

/** Appends the records in this order, keys on the partitions where Java's clients put them. */
export async function append(
  kafka: KafkaCluster,
  topic: string,
  messages: readonly Message[],
): Promise<void> {
  const producer = plainClient(kafka).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    // A new topic's leaders come one by one: kafkajs then sends all partitions again, and without this the first ones
    // would hold everything twice.
    idempotent: true,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  try {
    await producer.send({ topic, messages: [...messages], acks: -1 });
  } finally {
    await producer.disconnect();
  }
}
