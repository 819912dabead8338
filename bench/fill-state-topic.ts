import type { KafkaCluster } from '@outbound/local-stack';
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const recordsPerRequest = 10_000;

/**
 * Writes a state of version 1 for each of `keys` keys, `bulk-0` and on, where Java's clients would put them. It is the topic's content that matters here, not
 * how it came there: through the relay it would take a minute longer.
 */
export async function fillStateTopic(
  kafka: Pick<KafkaCluster, 'bootstrap'>,
  {
    topic,
    keys,
    payloadBytes,
  }: { readonly topic: string; readonly keys: number; readonly payloadBytes: number },
): Promise<void> {
  const producer = new Kafka({
    brokers: [...kafka.bootstrap],
    logLevel: logLevel.NOTHING,
  }).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  try {
    for (let next = 0; next < keys; next += recordsPerRequest)
      await producer.send({
        topic,
        acks: -1,
        messages: Array.from({ length: Math.min(recordsPerRequest, keys - next) }, (_, index) => ({
          key: `bulk-${next + index}`,
          value: stateValue(`bulk-${next + index}`, payloadBytes),
        })),
      });
  } finally {
    await producer.disconnect();
  }
}

/** A data-change value of this length, if that is enough for it. */
export function stateValue(key: string, payloadBytes: number): string {
  const head = `{"data_op":"C","data_type":"catalog.product","data":{"id":"${key}","version":1,"text":"`;
  return `${head}${'x'.repeat(Math.max(0, payloadBytes - head.length - 3))}"}}`;
}
