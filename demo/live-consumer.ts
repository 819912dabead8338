import { randomBytes } from 'node:crypto';
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import { recordHeader } from '@outbound/schemas';
import { LagWindow } from './lag-window.ts';

/** A subscriber that follows a topic while the demo writes. */
export interface LiveConsumer extends AsyncDisposable {
  readonly lags: LagWindow;
  readonly close: () => Promise<void>;
}

/** A record as one line: what changed, where it is, how long it took. Never its content. */
export function describeRecord(topic: string, partition: number, message: KafkaMessage): string {
  const header = (name: string) => String(message.headers?.[name] ?? '?');
  return `${header(recordHeader.dataOp)} ${header(recordHeader.subject)} on ${topic}/${partition} at offset ${message.offset}`;
}

/**
 * Follows the topic from its end. Comes back when its partitions are assigned, so that nothing that is written afterwards is missed.
 * @param options.onFirst called once, with the first record as a line, at the moment it is visible.
 */
export async function followTopic({
  brokers,
  topic,
  onFirst,
}: {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly onFirst: (line: string) => void;
}): Promise<LiveConsumer> {
  const kafka = new Kafka({
    clientId: 'outbound-demo-live',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
  });
  // A group of its own each time: nothing is committed, so the next run begins at the end again.
  const consumer = kafka.consumer({
    groupId: `outbound-demo-live-${randomBytes(6).toString('hex')}`,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
  });
  const lags = new LagWindow();
  const joined = new Promise<void>((resolve) => {
    const stopListening = consumer.on(consumer.events.FETCH, () => {
      stopListening();
      resolve();
    });
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: false });
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      const nowMs = Date.now();
      const [first] = batch.messages;
      if (lags.count === 0 && first) onFirst(describeRecord(topic, batch.partition, first));
      // The relay stamps a record with its commit time.
      for (const { timestamp } of batch.messages) lags.add(nowMs - Number(timestamp));
      return Promise.resolve();
    },
  });
  await joined;
  const close = async () => {
    await consumer.disconnect();
  };
  return { lags, close, [Symbol.asyncDispose]: close };
}
