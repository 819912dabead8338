import { recordHeader, type EventType } from '@outbound/schemas';

/** Headers that only a replayed record has. */
export const replayMark = {
  /** `true`. Whoever must not act twice looks here, or knows the event id. */
  isReplay: 'replay',
  /** When it was published again, RFC 3339. */
  replayedAt: 'replayed_at',
} as const;

/** A retained row of the outbox, as it is read for a replay. */
export interface RetainedEvent {
  readonly eid: string;
  readonly aggregateId: string;
  readonly type: string;
  readonly dataOp: string;
  /** The record value, verbatim. */
  readonly payload: string;
  /** JSON text. */
  readonly headers: string;
  /** RFC 3339, microseconds. */
  readonly createdAt: string;
}

/** A record to be published again. */
export interface ReplayRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The record of a retained event: same id, key and bytes as the relay's, marked as a replay. Without `source_lsn`: a relay takes that header for
 * its own last position, and a record that is out of the order of its lane must not move it.
 */
export function replayRecord(
  event: RetainedEvent,
  eventType: EventType,
  replayedAt: Date,
): ReplayRecord {
  const asked = JSON.parse(event.headers) as Readonly<Record<string, unknown>>;
  const headers: Record<string, string> = {
    [recordHeader.specVersion]: '1.0',
    [recordHeader.id]: event.eid,
    [recordHeader.type]: eventType.name,
    [recordHeader.source]: `/${eventType.owner}/${eventType.dataType}`,
    [recordHeader.time]: event.createdAt,
    [recordHeader.subject]: event.aggregateId,
    [recordHeader.contentType]: 'application/json',
    [recordHeader.dataOp]: event.dataOp,
  };
  for (const name of [recordHeader.traceparent, recordHeader.flowId]) {
    const value = asked[name];
    if (typeof value === 'string') headers[name] = value;
  }
  headers[replayMark.isReplay] = 'true';
  headers[replayMark.replayedAt] = replayedAt.toISOString();
  return { key: event.aggregateId, value: event.payload, headers };
}
