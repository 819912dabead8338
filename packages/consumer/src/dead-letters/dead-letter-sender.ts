import { Partitioners, type IHeaders, type Kafka, type Producer } from 'kafkajs';
import { ConsumerError } from '../errors.ts';
import type { DeadLetterRecord } from './dead-letter-record.ts';

/** Sends dead letters, one after the other. */
export interface DeadLetterSender {
  /**
   * Resolves when every replica in sync has it. **Order**: as it was called, per key one partition (Java's murmur2).
   * @throws ConsumerError DEAD_LETTER_FAILED if Kafka did not take it after all retries; it may be there all the same.
   */
  send(record: DeadLetterRecord): Promise<void>;
  close(): Promise<void>;
}

/**
 * A sender to the topic, which must exist (see `requireTopics`): nothing here creates one. An idempotent producer with acks=all and one record
 * in flight: what kafkajs loses on a failover, it loses of sends that cover several partitions. After a rejection the producer is given up, because
 * the broker would take the next record for the rejected one.
 */
export function createDeadLetterSender(kafka: Kafka, topic: string): DeadLetterSender {
  let producer: Promise<Producer> | undefined;
  let last: Promise<void> = Promise.resolve();

  const connect = async (): Promise<Producer> => {
    const fresh = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await fresh.connect();
    return fresh;
  };
  const giveUp = async (): Promise<void> => {
    const old = producer;
    producer = undefined;
    await (await old?.catch(() => undefined))?.disconnect().catch(() => undefined);
  };
  const sendOne = async ({ key, value, headers }: DeadLetterRecord): Promise<void> => {
    try {
      producer ??= connect();
      const answer = await (
        await producer
      ).send({ topic, acks: -1, messages: [{ key, value, headers: grouped(headers) }] });
      const [stored] = answer;
      if (answer.length !== 1 || stored?.errorCode !== 0)
        throw new Error('kafkajs resolved without an answer for the record');
    } catch (error) {
      await giveUp();
      throw new ConsumerError(
        'DEAD_LETTER_FAILED',
        `dead-letter topic ${topic} did not take a record: check that it can be written to; the event is not committed and comes again`,
        { cause: error },
      );
    }
  };
  return {
    async send(record) {
      const mine = last.then(() => sendOne(record));
      last = mine.catch(() => undefined);
      return mine;
    },
    async close() {
      await last;
      await giveUp();
    },
  };
}

/** kafkajs knows headers by name: the values of one name keep their order, and a null value becomes an empty one. */
function grouped(headers: DeadLetterRecord['headers']): IHeaders {
  const byName = new Map<string, Buffer[]>();
  for (const { name, value } of headers) {
    const values = byName.get(name) ?? [];
    values.push(value ?? Buffer.alloc(0));
    byName.set(name, values);
  }
  return Object.fromEntries(byName);
}
