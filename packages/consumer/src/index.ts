export { ConsumerError, type ConsumerErrorCode } from './errors.ts';
export { createKafkaClient } from './kafka-client.ts';
