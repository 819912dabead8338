import type { RecordHeader } from '../records/kafka-record.ts';

/** A record on its way to Kafka. Bytes are never re-encoded; text is written as UTF-8. */
export interface RecordToWrite {
  /** null: without a key, which a compacted topic refuses. */
  readonly key: string | Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  /** Text by name, or a list where a name may come twice or a value is no text. */
  readonly headers: Readonly<Record<string, string>> | readonly RecordHeader[];
  /** ms since 1970. */
  readonly timestampMs: number;
}
