/** A record of a topic as it is stored. `key` and `value` are views of the broker's answer: copy what is kept, or the whole answer is kept. */
export interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** When it was produced, or appended where the topic says LogAppendTime; ms since 1970. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  /** Values as UTF-8; of a name that comes twice the last one. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a partition holds: offsets from `low` to below `high`, with gaps where compaction has been or transactions ended. */
export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly low: bigint;
  /** The first offset that is not there yet for readers of committed records. */
  readonly high: bigint;
  /** Of the topic; undefined where the broker does not say. Another one for a topic that was deleted and made again under its name. */
  readonly topicId?: string | undefined;
}

/** A partition in words, for messages and as a key of maps. */
export function partitionKey({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
