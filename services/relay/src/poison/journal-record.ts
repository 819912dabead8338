import { parkedEntryFromText, parkedEntryHeader, recordHeader } from '@outbound/contract';
import { sourcePositionFromText } from '../wal/source-position.ts';
import type { JournalRecord } from './parked-keys.ts';

/** What a record of the topic of parked keys says, by its headers; undefined for one that is not of a relay. */
export function journalRecord(
  headers: Readonly<Record<string, string>>,
  fingerprint: string,
): JournalRecord | undefined {
  const entry = parkedEntryFromText(headers[parkedEntryHeader] ?? '');
  if (!entry) return undefined;
  return {
    position: sourcePositionFromText(headers[recordHeader.sourceLsn] ?? '', fingerprint),
    eid: headers[recordHeader.id] ?? '',
    entry,
  };
}
