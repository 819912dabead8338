import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { makeTopic } from '../../test/support/make-topic.ts';
import { benchRecord } from './bench-event.ts';

const recordsPerRequest = 10_000;

/** Makes the topic and writes `events` of the benchmark's events into it, where Java's clients would put them. */
export async function fillTopic(
  brokers: readonly string[],
  { topic, partitions, events }: { topic: string; partitions: number; events: number },
): Promise<void> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  try {
    await admin.connect();
    await makeTopic(admin, { topic, numPartitions: partitions });
    await producer.connect();
    for (let next = 0; next < events; next += recordsPerRequest)
      await producer.send({
        topic,
        acks: -1,
        messages: Array.from({ length: Math.min(recordsPerRequest, events - next) }, (_, index) =>
          benchRecord(next + index),
        ),
      });
  } finally {
    await producer.disconnect();
    await admin.disconnect();
  }
}
