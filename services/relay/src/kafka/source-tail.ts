import { recordHeader } from '@outbound/schemas';
import { sourcePositionFromText, type SourcePosition } from '../wal/source-position.ts';

/** The parts of a record read back that tell whose it is. Offsets are decimal text, as kafkajs gives them. */
export interface StoredRecord {
  readonly offset: string;
  readonly isControlRecord: boolean;
  readonly headers: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | null>>;
  readonly batchContext?: { readonly inTransaction?: boolean };
}

/**
 * The position of the last record of ours, or undefined if none is ours. Ours is what carries a well-formed `source_lsn` of this very
 * source, outside of a transaction (which may have been aborted). A lane is written in order, so everything up to this position is in
 * the partition too. A tool that publishes single events out of that order must not copy their `source_lsn`.
 *
 * The last in the log, not the furthest in the source: after `1 … 50` and a republish `1 … 10` that was cut short, a compacted topic
 * holds values of `1 … 10` as the newest, so `11 … 50` have to follow again (I4).
 */
export function lastOwnPosition(
  records: readonly StoredRecord[],
  fingerprint: string,
): SourcePosition | undefined {
  for (let index = records.length - 1; index >= 0; index -= 1) {
    const record = records[index];
    if (!record || record.isControlRecord || record.batchContext?.inTransaction) continue;
    const text = record.headers[recordHeader.sourceLsn];
    if (text === null || text === undefined || Array.isArray(text)) continue;
    const position = sourcePositionFromText(text.toString(), fingerprint);
    if (position) return position;
  }
  return undefined;
}
