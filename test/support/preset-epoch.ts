import type { KafkaCluster } from '@outbound/local-stack';
import { Kafka, logLevel } from 'kafkajs';

const topic = '__transaction_state';
/** Whoever calls itself so may write to internal topics. */
const clientId = '__admin_client';
/** Where the epoch stands in a `TransactionLogValue` of either version: behind the version and the producer id. */
const epochAt = 10;

/**
 * Gives transactional ids that were used before, and have no open transaction, another epoch, as if so many producers had been opened
 * under them: the coordinator's own record is written again with that epoch, and the brokers, which are restarted, load it. `epochOf`:
 * undefined leaves an id as it is.
 * @throws Error if no id was meant.
 */
export async function presetEpochs(
  cluster: KafkaCluster,
  epochOf: (transactionalId: string) => number | undefined,
): Promise<void> {
  const kafka = new Kafka({
    brokers: cluster.directBootstrap,
    clientId,
    logLevel: logLevel.NOTHING,
  });
  const producer = kafka.producer();
  await producer.connect();
  let count = 0;
  for (const [transactionalId, { partition, key, value: before }] of await lastRecords(kafka)) {
    const epoch = epochOf(transactionalId);
    if (epoch === undefined) continue;
    const value = Buffer.from(before);
    value.writeInt16BE(epoch, epochAt);
    await producer.send({ topic, acks: -1, messages: [{ partition, key, value }] });
    count += 1;
  }
  await producer.disconnect();
  if (count === 0) throw new Error('the coordinator has no record of these transactional ids');
  await cluster.stop();
  await cluster.start();
}

interface State {
  readonly partition: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** The coordinator's last record of each transactional id. */
async function lastRecords(kafka: Kafka): Promise<Map<string, State>> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map<number, bigint>();
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
    if (BigInt(high) > BigInt(low)) ends.set(partition, BigInt(high));
  await admin.disconnect();
  const states = new Map<string, State>();
  if (ends.size === 0) return states;
  const consumer = kafka.consumer({ groupId: `epochs-${process.pid}-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachBatch: ({ batch }) => {
          for (const { key, value } of batch.messages)
            // Behind the version and the length.
            if (key && value)
              states.set(key.toString('utf8', 4), { partition: batch.partition, key, value });
          const end = ends.get(batch.partition);
          if (end !== undefined && BigInt(batch.lastOffset()) >= end - 1n)
            ends.delete(batch.partition);
          if (ends.size === 0) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return states;
}
