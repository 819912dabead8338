import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll } from 'vitest';
import {
  anyEventType,
  anySource,
  provisioned,
  readTopic,
} from '../../services/relay/src/kafka/test-support/kafka-rig.ts';
import { publisherConformance } from './publisher.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(async () => kafka.close());

publisherConformance('Kafka', () => {
  const eventType = anyEventType(2);
  return Promise.resolve({
    eventType,
    identity: anySource(),
    publisher: () => provisioned(kafka, [eventType]),
    keys: async (topic, partition) =>
      (await readTopic(kafka.bootstrap, topic))
        .filter((record) => record.partition === partition)
        .map(({ key }) => key?.toString() ?? null),
    settle: (promise) => promise,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
