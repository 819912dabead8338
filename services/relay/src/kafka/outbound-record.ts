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

/**
 * What a record counts against the byte bound (I9): its bytes, the texts of its headers, and a fixed share for the objects around them. Not what it takes on the wire:
 * that is `recordBound`.
 */
export function recordBytes({ key, value, headers }: OutboundRecord): number {
  let bytes = 300 + key.length + (value?.length ?? 0);
  for (const name in headers) bytes += (headers[name] ?? '').length;
  return bytes;
}
