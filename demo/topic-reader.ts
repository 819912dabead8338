import { randomBytes } from 'node:crypto';
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';

/** What a topic held when it was read. */
export interface TopicContents {
  readonly recordCount: number;
  /** False if retention has removed first records. */
  readonly isWhole: boolean;
}

/**
 * Reads a topic from its first record to what was its end when we asked, as a consumer of its own that commits nothing.
 * Order: as in each partition, and so per key; between partitions none.
 * @throws Error after `silenceMs` (30 s) without a record, naming the partitions that are not done.
 */
export async function readTopic(
  {
    brokers,
    topic,
    silenceMs = 30_000,
  }: { readonly brokers: readonly string[]; readonly topic: string; readonly silenceMs?: number },
  take: (message: KafkaMessage, partition: number) => void,
): Promise<TopicContents> {
  const kafka = new Kafka({
    clientId: 'outbound-demo-reader',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect());
  const isWhole = ends.every(({ low }) => low === '0');
  // The last record below the end may be a gap of compaction or a transaction marker: a partition is done when reading has passed it.
  const open = new Map(
    ends
      .filter(({ low, high }) => BigInt(low) < BigInt(high))
      .map(({ partition, high }) => [partition, BigInt(high)]),
  );
  let recordCount = 0;
  if (open.size === 0) return { recordCount, isWhole };

  const consumer = kafka.consumer({
    groupId: `outbound-demo-reader-${randomBytes(6).toString('hex')}`,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    maxBytesPerPartition: 4 * 1024 * 1024,
  });
  let finish: (error?: Error) => void = () => undefined;
  const finished = new Promise<void>((resolve, reject) => {
    finish = (error) => (error ? reject(error) : resolve());
  });
  const giveUp = () =>
    finish(
      new Error(
        `${topic}: nothing more came for ${silenceMs} ms from partitions ${[...open.keys()].join(', ')}`,
      ),
    );
  const silence = setTimeout(giveUp, silenceMs);
  // kafkajs starts again by itself after most errors; where it does not, waiting would be for nothing.
  const stopListening = consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) finish(payload.error);
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch }) => {
        silence.refresh();
        const end = open.get(batch.partition);
        if (end === undefined) return Promise.resolve();
        try {
          for (const message of batch.messages) {
            if (BigInt(message.offset) >= end) break;
            recordCount++;
            take(message, batch.partition);
          }
        } catch (error) {
          // Thrown from here it would be kafkajs that retries the batch.
          finish(error instanceof Error ? error : new Error(String(error)));
        }
        if (BigInt(batch.lastOffset()) + 1n >= end) open.delete(batch.partition);
        if (open.size === 0) finish();
        return Promise.resolve();
      },
    });
    await finished;
  } finally {
    clearTimeout(silence);
    stopListening();
    await consumer.disconnect();
  }
  return { recordCount, isWhole };
}
