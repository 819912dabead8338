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
