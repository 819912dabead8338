import { KafkaError } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';

/** What is in the way of reading a batch; whoever knows the place makes a KafkaError of it. */
export class Unreadable extends Error {}

/** What the checksum of `part` denies. Nothing of it is used: a damaged length or count would skip what stands beside it. */
export function damaged(part: string): Unreadable {
  return new Unreadable(
    `${part} there does not match its checksum, so its bytes were damaged, on a disk of its leader or on the way: ` +
      'start again, and if that does not help, let another replica lead the partition and look at the disk',
  );
}

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
