import { KafkaError, partitionKey, type TopicPartition } from '@outbound/kafka';
import { ConsumerError } from '../errors.ts';

/** CONSUMER_CRASHED, a defect of ours or of a callback; what has a name of its own already keeps it. */
export function crashError(groupId: string, cause: unknown): ConsumerError | KafkaError {
  if (cause instanceof ConsumerError || cause instanceof KafkaError) return cause;
  return new ConsumerError(
    'CONSUMER_CRASHED',
    `the reader of group ${groupId} has ended: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}

/** TOPIC_MISSING, of a topic that was there. */
export function topicMissing(topic: string): ConsumerError {
  return new ConsumerError(
    'TOPIC_MISSING',
    `topic ${topic} was deleted, and has not been made again: make it, or read another one`,
  );
}

/** PARTITION_NOT_OURS. */
export function notOurs(partition: TopicPartition): ConsumerError {
  return new ConsumerError(
    'PARTITION_NOT_OURS',
    `partition ${partitionKey(partition)} is not ours now: see \`partitions\``,
  );
}

/** STOP_TIMEOUT: so many handlers were abandoned. */
export function stopTimeout(groupId: string, handlers: number, limitMs: number): ConsumerError {
  return new ConsumerError(
    'STOP_TIMEOUT',
    `${handlers} handlers of group ${groupId} did not end within ${limitMs} ms; their events come again`,
  );
}

/** A verdict on a right that is missing, with the group that it is missing for: whoever grants it has many. */
export function ofGroup(groupId: string, error: KafkaError): KafkaError {
  if (error.code !== 'KAFKA_FORBIDDEN') return error;
  return new KafkaError(error.code, `group "${groupId}": ${error.message}`, {
    cause: error,
    ...(error.kafkaCode === undefined ? {} : { kafkaCode: error.kafkaCode }),
  });
}
