import { createHash } from 'node:crypto';
import { aloneInBatchBytes } from '@outbound/kafka';
import { recordHeader } from '@outbound/contract';
import { RelayError } from '../errors.ts';
import type { OutboundRecord } from './outbound-record.ts';

/**
 * The error for a record that a broker refuses by itself: EVENT_REFUSED, with the event's id, its type, the topic, the size and the broker's reason. Keys may be personal, and
 * so they are no part of a log: `sha256` of the key, its first 12 digits, finds the entity for whoever knows the key.
 */
export function refusedEvent(record: OutboundRecord, reason: string): RelayError {
  const { topic, partition, key, headers } = record;
  const eid = headers[recordHeader.id];
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 12);
  return new RelayError(
    'EVENT_REFUSED',
    `outbox event ${eid ?? 'without an id'} of type "${headers[recordHeader.type] ?? 'unknown'}" (sha256 of its key: ${hash}…), ` +
      `${aloneInBatchBytes(record)} bytes as a record, is refused by partition ${partition} of topic ${topic}: ${reason}`,
    { eid },
  );
}
