import { createKafkaClient } from '@outbound/consumer';
import { partitionOf } from '@outbound/schemas';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import type { Message } from 'kafkajs';
import { CliError } from '../exit-codes.ts';
import { kafkaCliError } from './kafka-cli-error.ts';

/** A record to send. Null is a tombstone. */
export interface RecordToSend {
  readonly key: string;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Appends records to one topic, in order. */
export interface RecordSender {
  /**
   * Resolves when every replica in sync has all of them. One call at a time. **Order**: per key, over all calls.
   * @throws CliError SEND_FAILED, KAFKA_*: some of these records may be there; send no more with this sender.
   */
  send(records: readonly RecordToSend[]): Promise<void>;
  close(): Promise<void>;
}

/** Fewer than the thousand from where on kafkajs' grouping by partition becomes slow, and well below what a broker takes in one request. */
const maxRecords = 400;
const maxBytes = 512 * 1024;
const quiet: KafkaLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Connects a producer to a topic that exists: idempotent, acks=all, one send at a time, keys where Java's clients put them. Not the relay's way into Kafka, and not fenced:
 * for what a person sends by hand. kafkajs may resolve a send without having sent a partition whose leader moved meanwhile: what it does not confirm is
 * sent again, the same batch. After a rejection the broker could take other records for the rejected ones, so the sender is of no more use.
 */
export async function openRecordSender(
  connection: KafkaConnection,
  topic: string,
  partitions: number,
): Promise<RecordSender> {
  const producer = createKafkaClient(connection, quiet).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: { retries: 10, initialRetryTime: 200, maxRetryTime: 3000 },
  });
  const ask = async <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await question();
    } catch (thrown) {
      throw kafkaCliError(thrown, `sending to ${topic}`, connection.brokers);
    }
  };
  await ask(() => producer.connect());
  const sendTogether = async (messages: readonly Message[]): Promise<void> => {
    let left = messages;
    for (let attempt = 0; left.length > 0; attempt += 1) {
      if (attempt === 10)
        throw new CliError(
          'SEND_FAILED',
          `${left.length} records were not confirmed by ${topic}: look at the brokers (outbound status), then begin again`,
        );
      const answer = await ask(() => producer.send({ topic, acks: -1, messages: [...left] }));
      const confirmed = new Set(
        answer.flatMap(({ partition, errorCode }) => (errorCode === 0 ? [partition] : [])),
      );
      left = left.filter(({ partition }) => partition === undefined || !confirmed.has(partition));
    }
  };
  return {
    async send(records) {
      for (const group of inGroups(records))
        await sendTogether(
          group.map(({ key, value, headers }) => ({
            key,
            value,
            headers: { ...headers },
            partition: partitionOf(key, partitions),
          })),
        );
    },
    close: () => producer.disconnect(),
  };
}

function* inGroups(records: readonly RecordToSend[]): Generator<readonly RecordToSend[]> {
  let group: RecordToSend[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(record.value ?? '') + 600;
    if (group.length > 0 && (group.length === maxRecords || bytes + size > maxBytes)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(record);
    bytes += size;
  }
  if (group.length > 0) yield group;
}
