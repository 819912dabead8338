import { recordHeader } from '@outbound/contract';
import { sourcePositionFromText } from '../wal/source-position.ts';
import type { Tail } from './tail.ts';

/** The parts of a record read back that tell whose it is. Offsets are decimal text, as kafkajs gives them. */
export interface StoredRecord {
  readonly offset: string;
  readonly isControlRecord: boolean;
  readonly headers: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | null>>;
  readonly batchContext?: { readonly inTransaction?: boolean };
}

/**
 * The last record of ours, or undefined if none is. Ours is what carries a well-formed `source_lsn` of this very source and the id of its
 * event, outside of a transaction (which may have been aborted). A tool that publishes single events out of the order of their lane
 * must not copy their `source_lsn`. What it proves is for `TailGate` to say.
 *
 * The last in the log, not the furthest in the source: after `1 … 50` and a republish `1 … 10` that was cut short, a compacted topic
 * holds values of `1 … 10` as the newest, so `11 … 50` have to follow again (I4).
 */
export function lastOwnRecord(
  records: readonly StoredRecord[],
  fingerprint: string,
): Tail | undefined {
  for (let index = records.length - 1; index >= 0; index -= 1) {
    const record = records[index];
    if (!record || record.isControlRecord || record.batchContext?.inTransaction) continue;
    const tail = tailOf(
      {
        sourceLsn: textOf(record, recordHeader.sourceLsn),
        eid: textOf(record, recordHeader.id),
      },
      fingerprint,
    );
    if (tail) return tail;
  }
  return undefined;
}

/** What a record's two headers say of where it came from; undefined if it is not of this source. */
export function tailOf(
  { sourceLsn, eid }: { readonly sourceLsn: string | undefined; readonly eid: string | undefined },
  fingerprint: string,
): Tail | undefined {
  if (sourceLsn === undefined || eid === undefined) return undefined;
  const position = sourcePositionFromText(sourceLsn, fingerprint);
  return position && { position, eid };
}

/** A header that is there once, as text. */
function textOf({ headers }: StoredRecord, name: string): string | undefined {
  const value = headers[name];
  if (value === null || value === undefined || Array.isArray(value)) return undefined;
  return value.toString();
}
