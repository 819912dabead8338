import { aloneInBatchBytes, recordBound } from '@outbound/kafka';
import {
  eventHeaders,
  maxMessageBytes,
  partitionOf,
  recordHeader,
  type EventType,
} from '@outbound/contract';
import { RelayError } from '../errors.ts';
import type { OutboxEvent } from '../outbox/outbox-event.ts';
import { sourcePositionToText } from '../wal/source-position.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { noPrefixes, type ValuePrefixes } from './value-prefixes.ts';

/**
 * The records of one event, one per route that its data_op goes to, in the order of the routes. The value is the payload itself,
 * not a copy and not parsed (I5), behind the prefix where values name their schema; key and partition depend on the aggregate id alone, so an entity stays in one lane per topic (I3).
 * @throws RelayError EVENT_TOO_LARGE, with the event's id, if a topic would refuse the record: found before anything of it is sent.
 */
export function toRecords(
  event: OutboxEvent,
  eventType: EventType,
  fingerprint: string,
  prefixes: ValuePrefixes = noPrefixes,
): OutboundRecord[] {
  // One object for all records of the event.
  const headers = eventHeaders(event, eventType, event.headers);
  headers[recordHeader.sourceLsn] = sourcePositionToText(event.position, fingerprint);
  const records: OutboundRecord[] = [];
  for (const route of eventType.routes) {
    const form = route.forms[event.dataOp];
    if (form === 'skip') continue;
    const record: OutboundRecord = {
      topic: route.topic,
      partition: partitionOf(event.aggregateId, route.partitions),
      key: event.aggregateId,
      value:
        form === 'tombstone'
          ? null
          : prefixed(event.payload, prefixes.get(eventType)?.get(route.topic)),
      headers,
      position: event.position,
      timestampMs: event.commitTimeMs,
    };
    refuseOversize(record, event.eid);
    records.push(record);
  }
  return records;
}

function prefixed(payload: Buffer, prefix: Buffer | undefined): Buffer {
  return prefix === undefined ? payload : Buffer.concat([prefix, payload]);
}

function refuseOversize(record: OutboundRecord, eid: string): void {
  // The bound is cheap and nearly always enough; the exact size is asked for only near the limit.
  if (recordBound(record) < maxMessageBytes / 2) return;
  const bytes = aloneInBatchBytes(record);
  if (bytes <= maxMessageBytes) return;
  throw new RelayError(
    'EVENT_TOO_LARGE',
    `outbox event ${eid} takes ${bytes} bytes as a record of topic ${record.topic}, which takes ${maxMessageBytes} at the most`,
    { eid },
  );
}
