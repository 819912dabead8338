import { KafkaError } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';

/** What is in the way of reading a batch; whoever knows the place makes a KafkaError of it. */
export class Unreadable extends Error {}

/** One sentence that names the place. */
export function unreadableAt(
  partition: TopicPartition,
  offset: bigint,
  reason: string,
  options?: ErrorOptions,
): KafkaError {
  return new KafkaError(
    'KAFKA_RECORDS_UNREADABLE',
    `${partitionKey(partition)} cannot be read at offset ${offset}: ${reason}`,
    options,
  );
}
