import type { RecordToWrite } from '@outbound/kafka';
import type { SourcePosition } from '../wal/source-position.ts';

/** A record on its way to Kafka. `value` null is a tombstone. Bytes are never re-encoded (I5). */
export interface OutboundRecord extends RecordToWrite {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly position: SourcePosition;
  /** When the transaction committed, milliseconds since 1970: the record's timestamp. */
  readonly timestampMs: number;
}

/** What a record counts against the byte bound (I9): its bytes and a fixed share for the objects around them. */
export function recordBytes(record: OutboundRecord): number {
  return 600 + record.key.length + (record.value?.length ?? 0);
}
