import type { OutboxEvent } from './outbox-event.ts';
import type { SourcePosition } from '../wal/source-position.ts';

/**
 * A row of the outbox as text, as far as it can be read: what a dead letter is made of. The first five are always
 * there.
 */
export interface RawEvent {
  readonly eid: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly position: SourcePosition;
  readonly commitTimeMs: number;
  readonly type: string;
  readonly version: string;
  readonly dataOp: string;
  readonly payload: Buffer | null;
  /** The column `headers` as it is: JSON, if it can be read. */
  readonly headers: string;
}

/** The row that an event was. */
export function rawEvent(event: OutboxEvent): RawEvent {
  return { ...event, headers: JSON.stringify(event.headers) };
}
