import type { DataOp, RouteForm } from '@outbound/contract';

/**
 * What is known of one entity or event, from the row to the groups that read it. What could not be asked is undefined,
 * never a zero.
 */
export interface TraceReport {
  /** What was asked for, and what it turned out to be. */
  readonly id: string;
  readonly kind: 'entity' | 'event' | 'nothing';
  readonly row: TracedRow | undefined;
  /** The newest first; of an event id, only that event. */
  readonly events: readonly OutboxFacts[];
  /** How many of the entity's events the outbox still holds. */
  readonly retained: number;
  readonly slot: SlotFacts | undefined;
  /**
   * Where the focus (the event, or the newest of the entity) is in each topic; undefined with the reason if Kafka did
   * not answer.
   */
  readonly topics: readonly TopicFinding[] | undefined;
  readonly kafkaProblem: string | undefined;
}

/** The entity's row. */
export interface TracedRow {
  readonly aggregate: string;
  readonly id: string;
  readonly version: number;
  readonly isDeleted: boolean;
}

/** One outbox row. */
export interface OutboxFacts {
  readonly eid: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly eventType: string;
  readonly version: number;
  readonly dataOp: DataOp;
  /** When its transaction began, by the database's clock. */
  readonly createdAtMs: number;
  readonly bytes: number;
}

/** The relay's slot, read after the outbox rows. */
export interface SlotFacts {
  readonly name: string;
  /** False: there is no such slot. */
  readonly exists: boolean;
  /** A relay is connected to it. */
  readonly isActive: boolean;
  /** Everything committed before this is in Kafka. */
  readonly confirmedLsn: string | undefined;
  /**
   * End of the log when the outbox rows had just been read: before it is all that is traced. Undefined on a standby.
   */
  readonly endLsn: string | undefined;
  /** From the confirmed position to `endLsn`; 0: the slot has passed all that is traced. */
  readonly lagBytes: number | undefined;
  readonly walStatus: string | undefined;
  /** It has confirmed more than the log has, so it says nothing of what was committed. */
  readonly isAhead: boolean;
}

/** A record of the event in a topic. */
export interface FoundRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly version: number | undefined;
  readonly eid: string | undefined;
  readonly isTombstone: boolean;
  /**
   * Start of the commit record of its transaction, of the header `source_lsn`; undefined for a record that has none.
   */
  readonly commitLsn: string | undefined;
  readonly isReplay: boolean;
}

export interface GroupProgress {
  readonly group: string;
  /** What the group has committed on the partition; undefined: nothing. */
  readonly committed: bigint | undefined;
  /** Whether it has read the record; undefined as long as it has committed nothing. */
  readonly hasPassed: boolean | undefined;
  /** Offsets from where it stands to behind the record. */
  readonly lag: bigint | undefined;
}

/** The focus in one topic. */
export interface TopicFinding {
  readonly topic: string;
  readonly form: RouteForm;
  readonly cleanupPolicy: 'delete' | 'compact';
  /**
   * `found`; `superseded`: a newer state of the key is there, and compaction has removed this one; `absent`; `expired`:
   * the topic's retention has removed
   * records of that time; `missing`: there is no such topic.
   */
  readonly status: 'found' | 'superseded' | 'absent' | 'expired' | 'missing';
  readonly partition: number | undefined;
  /** The first record of the event, or the newest state where it is superseded. */
  readonly record: FoundRecord | undefined;
  /** Groups with an offset on this topic; undefined: not allowed to ask. */
  readonly groups: readonly GroupProgress[] | undefined;
}
