import { randomBytes } from 'node:crypto';
import type { KafkaCluster } from '@outbound/local-stack';
import type { KafkaConnection } from '@outbound/service-kit';
import { Kafka, logLevel, Partitioners, type Message } from 'kafkajs';
import { eventually } from '../../../../../test/support/eventually.ts';

/** How tests reach a cluster. */
export function connectionTo(kafka: Pick<KafkaCluster, 'bootstrap'>): KafkaConnection {
  return {
    brokers: kafka.bootstrap,
    clientId: 'consumer-test',
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5000,
  };
}

/** A client that has nothing to do with what is tested. */
export function plainClient(kafka: Pick<KafkaCluster, 'bootstrap'>): Kafka {
  return new Kafka({ brokers: [...kafka.bootstrap], logLevel: logLevel.NOTHING });
}

/** A topic under a name of its own; gives the name. */
export async function newTopic(
  kafka: Pick<KafkaCluster, 'bootstrap'>,
  {
    partitions = 1,
    replicas = 1,
    configs = {},
  }: { partitions?: number; replicas?: number; configs?: Record<string, string> } = {},
): Promise<string> {
  const topic = `read-${randomBytes(5).toString('hex')}`;
  const admin = plainClient(kafka).admin();
  await admin.connect();
  try {
    await admin.createTopics({
      // kafkajs' own waiting fails where a broker has not heard of the topic yet.
      waitForLeaders: false,
      topics: [
        {
          topic,
          numPartitions: partitions,
          replicationFactor: replicas,
          configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
        },
      ],
    });
    await eventually(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const known = topics[0]?.partitions ?? [];
      return known.length === partitions && known.every(({ leader }) => leader >= 0);
    });
  } finally {
    await admin.disconnect();
  }
  return topic;
}

/** Appends the records in this order, in one request; keys where Java's clients put them. `acks: all`. */
export async function append(
  kafka: Pick<KafkaCluster, 'bootstrap'>,
  topic: string,
  messages: readonly Message[],
  producerOptions: {
    readonly compression?: number;
    readonly transaction?: 'commit' | 'abort';
  } = {},
): Promise<void> {
  const { compression = 0, transaction } = producerOptions;
  const producer = plainClient(kafka).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    // Without, kafkajs stores a batch twice when the leaders of a new topic come one by one.
    idempotent: true,
    maxInFlightRequests: 1,
    ...(transaction ? { transactionalId: `t-${randomBytes(5).toString('hex')}` } : {}),
  });
  await producer.connect();
  try {
    const record = { topic, messages: [...messages], acks: -1, compression };
    if (transaction) {
      const open = await producer.transaction();
      await open.send(record);
      await (transaction === 'commit' ? open.commit() : open.abort());
    } else await producer.send(record);
  } finally {
    await producer.disconnect();
  }
}

/** Removes what lies before `offset` in partition 0, as retention does. −1: everything. */
export async function removeBefore(
  kafka: Pick<KafkaCluster, 'bootstrap'>,
  topic: string,
  offset: number,
): Promise<void> {
  const admin = plainClient(kafka).admin();
  await admin.connect();
  try {
    // kafkajs knows the leader only of a topic that it was asked about.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({
      topic,
      partitions: [{ partition: 0, offset: String(offset) }],
    });
  } finally {
    await admin.disconnect();
  }
}
