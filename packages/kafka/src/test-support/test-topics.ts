import { randomBytes } from 'node:crypto';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  Kafka,
  logLevel,
  type Admin,
  type Consumer,
  type KafkaMessage,
  type Producer,
} from 'kafkajs';

/** Where clients of tests are told nothing. */
export const silentLog: KafkaLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function connectionTo(
  brokers: readonly string[],
  over: Partial<KafkaConnection> = {},
): KafkaConnection {
  return {
    brokers,
    clientId: 'layer-test',
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5000,
    ...over,
  };
}

/** A name that no other test has. */
export function anyName(kind: string): string {
  return `${kind}-${randomBytes(5).toString('hex')}`;
}

/** kafkajs itself, as the stranger who makes topics and writes to them. */
export class Stranger {
  /** Timestamp of the first record that a `write` writes; the others follow a second apart. Not long ago, or the log would begin another segment behind them. */
  readonly firstTimeMs = Date.now() - 60_000;
  readonly #kafka: Kafka;
  readonly #open: (Admin | Consumer | Producer)[] = [];

  constructor(brokers: readonly string[]) {
    this.#kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  }

  async topic(partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const topic = anyName('topic');
    await this.make(topic, partitions, configs);
    return topic;
  }

  async make(
    topic: string,
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const admin = await this.#admin();
    await admin.createTopics({
      // kafkajs' own waiting fails where the broker has not heard of the topic yet.
      waitForLeaders: false,
      topics: [
        {
          topic,
          numPartitions: partitions,
          configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
        },
      ],
    });
    await eventually(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.length === partitions && topics[0];
    });
  }

  async delete(topic: string): Promise<void> {
    const admin = await this.#admin();
    await admin.deleteTopics({ topics: [topic] });
  }

  /** Removes the records of partition 0 before this offset, as retention does. */
  async removeBefore(topic: string, offset: string): Promise<void> {
    const admin = await this.#admin();
    // kafkajs asks nobody who leads a topic that it has not looked at.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  }

  async write(topic: string, keys: readonly string[], partition = 0): Promise<void> {
    const producer = await this.#producer();
    await producer.send({
      topic,
      messages: keys.map((key, index) => ({
        key,
        value: `value of ${key}`,
        partition,
        timestamp: String(this.firstTimeMs + index * 1000),
      })),
    });
  }

  /** Writes in a transaction and leaves it open. */
  async begin(topic: string, keys: readonly string[]) {
    const producer = await this.#producer({
      transactionalId: anyName('tx'),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: keys.map((key) => ({ key, value: key })) });
    return transaction;
  }

  /** Everything that is in a partition now, uncommitted records too, in order. */
  async read(topic: string, partition = 0): Promise<KafkaMessage[]> {
    const admin = await this.#admin();
    const offsets = await eventually(() => admin.fetchTopicOffsets(topic), { timeoutMs: 30_000 });
    const end = BigInt(offsets.find((each) => each.partition === partition)?.high ?? 0);
    const records: KafkaMessage[] = [];
    if (end === 0n) return records;
    const consumer = this.#kafka.consumer({
      groupId: anyName('reader'),
      readUncommitted: true,
      maxWaitTimeInMs: 100,
    });
    await consumer.connect();
    this.#open.push(consumer);
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachBatch: ({ batch }) => {
            if (batch.partition === partition) records.push(...batch.messages);
            if (batch.partition === partition && BigInt(batch.lastOffset()) >= end - 1n) resolve();
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
    return records;
  }

  async close(): Promise<void> {
    for (const client of this.#open) await client.disconnect();
  }

  async #admin(): Promise<Admin> {
    const admin = this.#kafka.admin();
    await admin.connect();
    this.#open.push(admin);
    return admin;
  }

  async #producer(options?: Parameters<Kafka['producer']>[0]): Promise<Producer> {
    const producer = this.#kafka.producer(options);
    await producer.connect();
    this.#open.push(producer);
    return producer;
  }
}
