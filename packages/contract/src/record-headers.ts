import type { EventType } from './event-type.ts';

/**
 * Headers of every record on the wire: CloudEvents binary mode (`ce_*`) and our own. Values are UTF-8 text.
 * Source: CloudEvents Kafka binding 1.0.
 */
export const recordHeader = {
  specVersion: 'ce_specversion',
  /** Event id (`eid`): what a consumer deduplicates by. */
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  /** Aggregate id: equals the record key. */
  subject: 'ce_subject',
  contentType: 'content-type',
  traceparent: 'traceparent',
  flowId: 'flow_id',
  dataOp: 'data_op',
  /** The entity's version, as in the value; on a tombstone the only place that says it. */
  dataVersion: 'data_version',
  /** Where in the write-ahead log the event was committed: see the relay's `SourcePosition`. */
  sourceLsn: 'source_lsn',
  /** `true` on a record that was published again from the outbox. Whoever must not act twice looks here, or knows the event id. */
  replay: 'replay',
  /** When it was published again, RFC 3339. */
  replayedAt: 'replayed_at',
} as const;

/** What the headers say of an event. */
export interface EventFacts {
  readonly eid: string;
  readonly aggregateId: string;
  /** Digits. */
  readonly version: string;
  readonly dataOp: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

/**
 * The headers that every record of an event has, whoever publishes it; `asked` are the outbox row's own, of which only those that we know pass. Without
 * `source_lsn`, which is for the relay alone to say.
 */
export function eventHeaders(
  event: EventFacts,
  eventType: EventType,
  asked: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const headers: Record<string, string> = {
    [recordHeader.specVersion]: '1.0',
    [recordHeader.id]: event.eid,
    [recordHeader.type]: eventType.name,
    [recordHeader.source]: `/${eventType.owner}/${eventType.dataType}`,
    [recordHeader.time]: event.createdAt,
    [recordHeader.subject]: event.aggregateId,
    [recordHeader.contentType]: 'application/json',
    [recordHeader.dataOp]: event.dataOp,
    [recordHeader.dataVersion]: event.version,
  };
  for (const name of [recordHeader.traceparent, recordHeader.flowId]) {
    const value = asked[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return headers;
}
