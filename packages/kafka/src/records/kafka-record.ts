import type { TopicPartition } from '../ports/partition.ts';

/** A header as it is stored. */
export interface RecordHeader {
  readonly name: string;
  /** A view; null where the producer wrote none. */
  readonly value: Buffer | null;
}

/** A record of a topic as it is stored. `key`, `value` and header bytes are views of the broker's answer: copy what is kept, or the whole answer is kept. */
export interface KafkaRecord extends TopicPartition {
  readonly offset: bigint;
  /** When it was produced, or appended where the topic says LogAppendTime; ms since 1970. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  /** Values as UTF-8; of a name that comes twice the last one. Decoded when first asked for. */
  readonly headers: Readonly<Record<string, string>>;
  /** In their order, repeated ones too, byte for byte. Decoded at each call: for those who pass a record on. */
  headerList(): readonly RecordHeader[];
}
