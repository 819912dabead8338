import type { DataOp, Route } from '@outbound/contract';
import type { ContentHash } from './content-hash.ts';

/** An outbox row that was committed. */
export interface CommittedEvent {
  readonly eid: string;
  /** Event type name; decides the topics. */
  readonly type: string;
  /** The record key. */
  readonly aggregateId: string;
  readonly version: number;
  readonly dataOp: DataOp;
  /** Of the payload's bytes. */
  readonly valueHash: ContentHash;
  /** End of the commit in the log, where it is known: what a confirmed position is compared with (I6). */
  readonly commitEndLsn?: bigint;
}

/** A record as a consumer that knows nothing of us reads it. */
export interface PublishedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** The header `ce_id`. */
  readonly eid: string | undefined;
  /** Of the value's bytes; null for a tombstone. */
  readonly valueHash: ContentHash | null;
  readonly dataOp: string | undefined;
}

/** The slot's confirmed position as it was at a moment, and how far each partition was written then. */
export interface ConfirmedObservation {
  readonly confirmedLsn: bigint;
  /** End offset by `topic/partition`; one that is missing counts as 0. */
  readonly endOffsets: ReadonlyMap<string, number>;
}

/** The row of an aggregate when all was quiet. */
export interface FinalRow {
  readonly aggregateId: string;
  readonly version: number;
  readonly isDeleted: boolean;
}

/** What the checker has to know beside what happened. */
export interface HistoryRules {
  /** Routes by event type. */
  readonly routes: ReadonlyMap<string, readonly Route[]>;
  /** How many records may be there a second time (I7): 0 without faults; see `duplicateAllowance`. */
  readonly allowedDuplicates: number;
  /** Topics that Kafka may have compacted or cut since: of those only the last record per key is judged (I4). */
  readonly compactedTopics?: ReadonlySet<string>;
}

/** Everything that happened, in the order in which the checker takes it. */
export interface History extends HistoryRules {
  /** In commit order. */
  readonly committed: Iterable<CommittedEvent>;
  /** Event ids of transactions that were rolled back. */
  readonly rolledBack?: Iterable<string>;
  /** In offset order within each partition; partitions may be mixed. */
  readonly records: Iterable<PublishedRecord>;
  readonly confirmed?: Iterable<ConfirmedObservation>;
  /** Only aggregates that are named are judged. */
  readonly finalRows?: Iterable<FinalRow>;
}

/** Rule for I7: after each fault, at most what was in flight comes again. */
export function duplicateAllowance(faults: number, inFlightRecords: number): number {
  return faults * inFlightRecords;
}
