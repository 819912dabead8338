import { openRecordSender, type RecordSender } from '@outbound/kafka';
import { partitionOf } from '@outbound/contract';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
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
 * A sender to the topic, which must exist (see `requireTopics`): nothing here creates one. It connects with the first dead letter. After a rejection the producer
 * is given up, because the broker would take the next record for the rejected one; the next dead letter gets a new one.
 */
export function createDeadLetterSender(options: {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly log: KafkaLog;
  /** What a rejection says. */
  readonly refusal?: string;
}): DeadLetterSender {
  const { topic } = options;
  const refusal =
    options.refusal ??
    `dead-letter topic ${topic} did not take a record: check that it can be written to; the event is not committed and comes again`;
  let opened: Promise<RecordSender> | undefined;
  let last: Promise<void> = Promise.resolve();

  const giveUp = async (): Promise<void> => {
    const old = opened;
    opened = undefined;
    await (await old?.catch(() => undefined))?.close();
  };
  const sendOne = async (record: DeadLetterRecord): Promise<void> => {
    try {
      opened ??= openRecordSender({ ...options, partitionOf });
      const sender = await opened;
      await sender.send([record]);
    } catch (error) {
      await giveUp();
      throw new ConsumerError('DEAD_LETTER_FAILED', refusal, { cause: error });
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
