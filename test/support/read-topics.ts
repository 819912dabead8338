import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { contentHash } from '../history/content-hash.ts';
import type { PublishedRecord } from '../history/history.ts';

/**
 * Every record of the topics, from their beginning to their end at the time of the call, in offset order per partition: read by a consumer that knows
 * nothing of the relay, keeping hashes only.
 * @throws Error if the end is not reached within `timeoutMs`.
 */
export async function readTopics(
  brokers: readonly string[],
  topics: readonly string[],
  onRecord: (record: PublishedRecord, timestampMs: number) => void,
  timeoutMs = 120_000,
): Promise<void> {
  const kafka = new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  });
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map<string, number>();
  for (const topic of topics)
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
      if (high !== low) ends.set(`${topic}/${partition}`, Number(high));
  await admin.disconnect();
  if (ends.size === 0) return;
  const consumer = kafka.consumer({
    groupId: `judge-${randomUUID()}`,
    maxBytesPerPartition: 4 * 1024 * 1024,
    maxWaitTimeInMs: 100,
    sessionTimeout: 60_000,
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(
              `the end of ${[...ends.keys()].join(', ')} was not reached within ${timeoutMs} ms`,
            ),
          ),
        timeoutMs,
      );
      const done = (error?: Error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      };
      // kafkajs starts again by itself after most errors; where it does not, waiting would be for nothing.
      consumer.on('consumer.crash', ({ payload }) => {
        if (!payload.restart) done(payload.error);
      });
      consumer
        .run({
          autoCommit: false,
          // eslint-disable-next-line @typescript-eslint/require-await -- kafkajs wants a promise
          eachBatch: async ({ batch }) => {
            const lane = `${batch.topic}/${batch.partition}`;
            for (const { key, value, headers, offset, timestamp } of batch.messages) {
              onRecord(
                {
                  topic: batch.topic,
                  partition: batch.partition,
                  offset: Number(offset),
                  key: key?.toString() ?? null,
                  eid: headers?.['ce_id']?.toString(),
                  valueHash: value === null ? null : contentHash(value),
                  dataOp: headers?.['data_op']?.toString(),
                },
                Number(timestamp),
              );
            }
            // A compacted log may end in a gap: the batch says how far it reaches.
            if (Number(batch.lastOffset()) + 1 >= (ends.get(lane) ?? 0)) ends.delete(lane);
            if (ends.size === 0) done();
          },
        })
        .catch(done);
    });
  } finally {
    await consumer.disconnect();
  }
}
