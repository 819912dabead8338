import type { TopicPartition } from '../ports/partition.ts';
import { ByteCursor } from '../wire/byte-cursor.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/** What a member tells the leader when it joins. */
export interface Subscription {
  readonly topics: readonly string[];
  /** The assignor's own; empty for none. */
  readonly userData: Buffer;
  /** What the member has and goes on with meanwhile; empty from an eager member. */
  readonly owned: readonly TopicPartition[];
  /** The generation in which it got them; −1: none, or its version of the protocol does not say. */
  readonly generationId: number;
  readonly rackId: string | undefined;
}

/**
 * The newest version of both messages that is known here; a newer one is read as this one, since versions only add at
 * the end.
 */
const newestVersion = 3;

/**
 * A subscription as Kafka's consumers write it (ConsumerProtocolSubscription.json).
 * @param version 1 brought `owned`, 2 `generationId`, 3 `rackId`; what a version can't hold is left out.
 */
export function encodeSubscription(
  { topics, userData, owned, generationId, rackId }: Subscription,
  version = newestVersion,
): Buffer {
  const writer = new ByteWriter().int16(version);
  writer.array(topics, (topic) => writer.string(topic)).bytes(userData);
  if (version >= 1) writePartitions(writer, owned);
  if (version >= 2) writer.int32(generationId);
  if (version >= 3) writer.string(rackId);
  return writer.written();
}

/** Reads what any consumer wrote, of whatever version. @throws RangeError for bytes that end too early. */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new ByteCursor(bytes);
  const version = reader.int16();
  return {
    topics: reader.array(() => reader.string()),
    userData: Buffer.from(reader.bytes()),
    owned: version >= 1 ? readPartitions(reader) : [],
    generationId: version >= 2 ? reader.int32() : -1,
    rackId: version >= 3 ? (reader.nullableString() ?? undefined) : undefined,
  };
}

/** A member's share as the leader sends it (ConsumerProtocolAssignment.json). */
export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const writer = new ByteWriter().int16(newestVersion);
  return writePartitions(writer, partitions).int32(-1).written();
}

/**
 * Reads what any leader wrote; no bytes at all are an empty share: so a leader answers members that it gives nothing.
 * @throws RangeError
 */
export function decodeAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return [];
  const reader = new ByteCursor(bytes);
  reader.int16();
  return readPartitions(reader);
}

/** Grouped by topic, as the consumer protocol has them. */
export function readPartitions(reader: ByteCursor): TopicPartition[] {
  return reader
    .array(() => {
      const topic = reader.string();
      return reader.array(() => ({ topic, partition: reader.int32() }));
    })
    .flat();
}

function writePartitions(writer: ByteWriter, partitions: readonly TopicPartition[]): ByteWriter {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const numbers = byTopic.get(topic);
    if (numbers) numbers.push(partition);
    else byTopic.set(topic, [partition]);
  }
  return writer.array([...byTopic], ([topic, numbers]) => {
    writer.string(topic).array(numbers, (partition) => writer.int32(partition));
  });
}
