import type { DataOp } from '@outbound/contract';
import type { SourcePosition } from '../wal/source-position.ts';

/** One row of the outbox as it was committed. */
export interface OutboxEvent {
  /** Event id, minted by the API in the same transaction; the relay never makes one (rule 211). */
  readonly eid: string;
  /** Aggregate type, such as `catalog.product`. */
  readonly aggregateType: string;
  /** Aggregate id: the record key. */
  readonly aggregateId: string;
  /** Event type name, such as `catalog.product-change`. */
  readonly type: string;
  /** Entity version as text: it is carried, not computed with. */
  readonly version: string;
  readonly dataOp: DataOp;
  /** The complete record value, byte for byte as the API wrote it; a copy, safe to keep. */
  readonly payload: Buffer;
  /** Headers that the API asked for (`traceparent`, `flow_id`). */
  readonly headers: Readonly<Record<string, string>>;
  /** `created_at` as RFC 3339 text in UTC. */
  readonly createdAt: string;
  readonly position: SourcePosition;
  readonly commitTimeMs: number;
}
