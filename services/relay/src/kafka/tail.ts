import { lsnToText, type Lsn } from '../wal/lsn.ts';
import type { SourcePosition } from '../wal/source-position.ts';

/** The last record of ours in a partition: which event it was, and where that stood in the log that it was read from. */
export interface Tail {
  readonly position: SourcePosition;
  readonly eid: string;
}

/** What the log has where a tail says that its event is. */
export type TailFinding =
  /** The log is not written that far. */
  | { readonly kind: 'end'; readonly flushedLsn: Lsn }
  /** Another event stands there. */
  | { readonly kind: 'other-event'; readonly eid: string }
  /** No event of the outbox stands there; the log was read to here. */
  | { readonly kind: 'no-event'; readonly readLsn: Lsn };

/** A tail that the log contradicts: the partition holds an event that this history of the database does not have. */
export interface RefutedTail {
  /** As `laneKey` says it. */
  readonly lane: string;
  readonly tail: Tail;
  readonly found: TailFinding;
  /** Records of the lane that were withheld on account of the tail. */
  readonly withheld: number;
}

/** The finding in words that follow "where the log". */
export function findingText(found: TailFinding): string {
  switch (found.kind) {
    case 'end':
      return `ends at ${lsnToText(found.flushedLsn)}, before it`;
    case 'other-event':
      return `has event ${found.eid}`;
    case 'no-event':
      return `has no event (read to ${lsnToText(found.readLsn)})`;
  }
}

/**
 * Tails that this process has found to be of another history: later sessions do not believe them again, and need not find it out again.
 * One of each lane at the most. A new process finds out by itself.
 */
export class RefutedTails {
  readonly #byLane = new Map<string, Tail>();

  add({ lane, tail }: RefutedTail): void {
    this.#byLane.set(lane, tail);
  }

  has(lane: string, { position, eid }: Tail): boolean {
    const known = this.#byLane.get(lane);
    return (
      known?.eid === eid &&
      known.position.commitLsn === position.commitLsn &&
      known.position.index === position.index
    );
  }

  /** Partitions that were found to hold events which the database does not have. */
  get size(): number {
    return this.#byLane.size;
  }
}
