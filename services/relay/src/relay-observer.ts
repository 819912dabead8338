import type { RelayError } from './errors.ts';
import type { OutboundRecord } from './kafka/outbound-record.ts';
import type { LaneBatch } from './kafka/publisher.ts';
import type { TailsAhead } from './kafka/tail-gate.ts';
import type { RefutedTail } from './kafka/tail.ts';
import type { RawEvent } from './outbox/raw-event.ts';
import type { ParkedKey } from './poison/parked-key.ts';
import type { Lsn } from './wal/lsn.ts';

/**
 * Where a relay is. `standby`: another one holds the slot. `connecting`: taking the slot, opening Kafka.
 * `streaming`: reading and publishing. `recovering`: waiting before the next try. `stopping`: draining.
 */
export type RelayState =
  'standby' | 'connecting' | 'streaming' | 'recovering' | 'stopping' | 'stopped';

/** What is known of the running session, read when somebody asks. */
export interface SessionGauges {
  readonly ackLsn: Lsn;
  readonly inFlightBytes: number;
  readonly isPaused: boolean;
  /** Queued and unconfirmed records by `topic/partition`. */
  readonly laneDepths: ReadonlyMap<string, number>;
  /** Partitions whose last record has not been found in the log yet; their earlier records are withheld meanwhile. */
  readonly undecidedTails: number;
  readonly withheldRecords: number;
  /** Parked keys by the code of the error that parked them. */
  readonly parkedKeys: ReadonlyMap<string, number>;
  /** The parked keys themselves. */
  readonly listParked: () => Iterable<ParkedKey>;
}

/** Who watches a relay: logs, metrics, readiness, tests. Must not throw, and changes nothing. */
export interface RelayObserver {
  stateChanged(state: RelayState): void;
  /** Another relay is active, for this reason: told with every answer that says so. */
  waits(reason: RelayError): void;
  /** A session began; `gauges` can be read until it ended. */
  sessionStarted(gauges: () => SessionGauges): void;
  /** A session ended; without an error it was stopped or renewed. `retryInMs` is undefined when no other follows. */
  sessionEnded(error: RelayError | undefined, retryInMs: number | undefined): void;
  /** A read event was left out, because the operator listed it. */
  eventSkipped(eid: string, reason: RelayError): void;
  /** An event goes to the dead letters: it cannot be published (`reason`), or waits behind one that could not. */
  eventParked(event: RawEvent, reason: RelayError | undefined): void;
  /** A row that was written to deal with a dead letter: it is published, gives letters up, or is left out (`why`). */
  letterTaken(event: RawEvent, way: 'redrive' | 'discard' | 'leave-out', why: string): void;
  /** Kafka confirmed a batch. */
  batchDelivered(batch: LaneBatch): void;
  /** The record is at or before the last one of its partition, and is let go: to be found there, or to be read again. */
  recordWithheld(record: OutboundRecord): void;
  /** The topics are ahead of the slot, as after a crash or a failover: what they hold is looked for in the log. */
  tailsAhead(ahead: TailsAhead): void;
  /** So many withheld records are in their partition already: the log has its last one. */
  tailMet(lane: string, records: number): void;
  /** Partitions hold events that the log does not have: this database is of another history. */
  tailsRefuted(refuted: readonly RefutedTail[]): void;
  /** A send of these lanes (`topic/partition`), or, of none, the opening of a session with Kafka, failed and is tried again. */
  sendFailed(error: RelayError, attempt: number, lanes: readonly string[]): void;
}

export const silentObserver: RelayObserver = {
  stateChanged: () => undefined,
  waits: () => undefined,
  sessionStarted: () => undefined,
  sessionEnded: () => undefined,
  eventSkipped: () => undefined,
  eventParked: () => undefined,
  letterTaken: () => undefined,
  batchDelivered: () => undefined,
  recordWithheld: () => undefined,
  tailsAhead: () => undefined,
  tailMet: () => undefined,
  tailsRefuted: () => undefined,
  sendFailed: () => undefined,
};
