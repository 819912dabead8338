import { eventHeaders, recordHeader, type EventFacts, type EventType } from '@outbound/contract';

/** A retained row of the outbox, as it is read for a replay. */
export interface RetainedEvent extends EventFacts {
  readonly type: string;
  /** The record value, verbatim. */
  readonly payload: string;
  /** JSON text. */
  readonly headers: string;
}

/** A record to be published again. */
export interface ReplayRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The record of a retained event: same id, key and bytes as the relay's, marked as a replay. Without `source_lsn`: a
 * relay takes that header for
 * its own last position, and a record that is out of the order of its lane must not move it.
 */
export function replayRecord(
  event: RetainedEvent,
  eventType: EventType,
  replayedAt: Date,
): ReplayRecord {
  const asked = JSON.parse(event.headers) as Readonly<Record<string, unknown>>;
  const headers = eventHeaders(event, eventType, asked);
  headers[recordHeader.replay] = 'true';
  headers[recordHeader.replayedAt] = replayedAt.toISOString();
  return { key: event.aggregateId, value: event.payload, headers };
}
