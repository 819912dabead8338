import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll } from 'vitest';
import {
  anyEventType,
  anySource,
  provisioned,
} from '../../services/relay/src/kafka/test-support/kafka-rig.ts';
import { readTopics } from '../support/read-topics.ts';
import { publisherConformance } from './publisher.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(async () => kafka.close());

for (const delivery of ['at-least-once', 'exactly-once'] as const)
  publisherConformance(`Kafka, ${delivery}`, () => {
    const eventType = anyEventType(2);
    return Promise.resolve({
      eventType,
      identity: anySource(),
      publisher: () => provisioned(kafka, [eventType], { delivery }),
      keys: async (topic, partition) => {
        const keys: (string | null)[] = [];
        await readTopics(kafka.bootstrap, [topic], (record) => {
          if (record.partition === partition) keys.push(record.key);
        });
        return keys;
      },
      settle: (promise) => promise,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  });
