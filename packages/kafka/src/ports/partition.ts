/** A partition, by name. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** One string for a partition: in messages, and as a key of maps. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
