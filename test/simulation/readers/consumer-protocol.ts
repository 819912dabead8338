import type { TopicPartition } from '@outbound/kafka';

/**
 * The partitions of an assignment in the consumer protocol: a version, then for each topic its name and partitions. Read here apart from the member's own decoder.
 * Source: Kafka's ConsumerProtocolAssignment.json. @param assignment empty: none.
 */
export function assignedPartitions(assignment: Buffer): TopicPartition[] {
  if (assignment.length === 0) return [];
  const partitions: TopicPartition[] = [];
  let at = 2;
  const topics = assignment.readInt32BE(at);
  at += 4;
  for (let topicIndex = 0; topicIndex < topics; topicIndex += 1) {
    const length = assignment.readInt16BE(at);
    const topic = assignment.toString('utf8', at + 2, at + 2 + length);
    at += 2 + length;
    const count = assignment.readInt32BE(at);
    at += 4;
    for (let index = 0; index < count; index += 1) {
      partitions.push({ topic, partition: assignment.readInt32BE(at) });
      at += 4;
    }
  }
  return partitions;
}

/** An assignment as `assignedPartitions` reads it, for stories that are told by hand. */
export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions)
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  const int32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  const parts = [Buffer.from([0, 1]), int32(topics.size)];
  for (const [topic, numbers] of topics) {
    const name = Buffer.from(topic);
    parts.push(Buffer.from([name.length >> 8, name.length & 0xff]), name, int32(numbers.length));
    parts.push(...numbers.map(int32));
  }
  return Buffer.concat([...parts, int32(-1)]);
}
