import { hash } from 'node:crypto';
import { z } from 'zod';
import type { KafkaRecord } from '@outbound/kafka';

/**
 * What a topic is recognised by, later: its id where the broker gives one, and the last record that was read of a
 * partition.
 */
export interface TopicMark {
  readonly topicId: string | undefined;
  readonly offset: bigint;
  readonly timestampMs: number;
  /** Of its key, 64 bits. */
  readonly keyHash: string;
}

const markSchema = z.object({
  topic_id: z.string().optional(),
  offset: z.string().regex(/^\d+$/),
  timestamp: z.number(),
  key: z.string(),
});

/** As text, for a store to keep. */
export function topicMark(record: KafkaRecord, topicId: string | undefined): string {
  const { offset, timestampMs, key } = record;
  return JSON.stringify({
    ...(topicId === undefined ? {} : { topic_id: topicId }),
    offset: offset.toString(),
    timestamp: timestampMs,
    key: keyHash(key),
  } satisfies z.input<typeof markSchema>);
}

/** Undefined for a text of another form: a store of an earlier release has none. */
export function readTopicMark(text: string): TopicMark | undefined {
  try {
    const { topic_id, offset, timestamp, key } = markSchema.parse(JSON.parse(text));
    return { topicId: topic_id, offset: BigInt(offset), timestampMs: timestamp, keyHash: key };
  } catch {
    return undefined;
  }
}

/** True if the record is the one that the mark was made of. */
export function isMarkOf({ offset, timestampMs, keyHash: marked }: TopicMark, record: KafkaRecord) {
  return (
    record.offset === offset && record.timestampMs === timestampMs && keyHash(record.key) === marked
  );
}

function keyHash(key: Buffer | null): string {
  return key === null ? '' : hash('sha1', key, 'hex').slice(0, 16);
}
