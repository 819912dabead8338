import type { ParkedKeys } from '../poison/parked-keys.ts';
import type { Lsn } from '../wal/lsn.ts';
import type { SourceIdentity } from '../wal/source-position.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { Tail } from './tail.ts';

/** Records of one lane, in order. The same object is sent again after a failure: its content is its identity for Kafka's deduplication. */
export interface LaneBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly OutboundRecord[];
}

/** A batch that the broker has confirmed. */
export interface Delivery {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the first record; -1 where the broker does not say (a duplicate that it removed). */
  readonly baseOffset: bigint;
}

/**
 * A batch that the broker refuses for what is in it: too large, or a record that is none to it. Nothing of it was stored, it is no longer out, and its records may go in
 * other batches.
 */
export interface Refusal {
  readonly topic: string;
  readonly partition: number;
  /** The broker's reason, in its words. */
  readonly refusal: string;
  /** Which records are at fault, each by itself, counted from 0; absent where the broker does not say. */
  readonly named?: readonly number[];
  /** The batch is too large as it was made: alone in a batch, every larger record is refused as well. Absent where batches are compressed. */
  readonly isForSize?: boolean;
}

/** What a broker said of a batch for good. */
export type LaneAnswer = Delivery | Refusal;

/** A producer that has fenced its predecessors. Replaced as a whole when it can't go on. */
export interface PublisherSession {
  /** The broker that leads this partition, as last heard: lanes of one leader share a send. Stale knowledge costs a round trip, never an event. */
  leaderOf(topic: string, partition: number): number;
  /**
   * Our own last record in each partition, keyed by `laneKey`, read after older producers were fenced. A claim of what was published,
   * not a proof: the log may have another history by now. A partition without an entry is unknown: publish again.
   */
  readonly tails: ReadonlyMap<string, Tail>;
  /** Which keys are parked, from the topic of parked keys, read when the tails were; undefined where poison is not parked. */
  readonly parked?: ParkedKeys | undefined;
  /**
   * Sends the batches, at most one per lane, and resolves with those that the brokers confirmed or refused for their content. A batch that
   * is missing from the answer may or may not be stored: send the very same batch again. Never call it for a lane that is in flight.
   * **Order**: a lane's batch is stored after every batch of that lane confirmed before; a repeated batch is stored once.
   * @throws RelayError SINK_* — after a rejection only the same batches may be sent on this session, in any grouping.
   * SINK_SESSION_BROKEN also for a refused batch that an earlier send may have stored: the next session reads what is there.
   * SINK_FENCED means that a newer session exists: this one must never send again.
   */
  send(batches: readonly LaneBatch[]): Promise<readonly LaneAnswer[]>;
  /** True when this session has to be replaced soon (its age, or a sequence near its wrap): the core drains and opens another. */
  mustRenew(): boolean;
  /** Gives up the connections. Never rejects; bounded in time. What is in flight may still be stored. */
  close(): Promise<void>;
}

/** Port: where records go. Real form: `kafka-publisher.ts`; in-memory form: the simulator's. */
export interface Publisher {
  /**
   * Fences every older session of the same source (from this session's first write to a partition, none of theirs is accepted there),
   * checks the topics against their declarations (the partition count is the declared one, or SINK_TOPIC_MISMATCH) and reads the partitions' tails
   * and the parked keys. `startLsn`: nothing that commits before it will be read from the log.
   * @throws RelayError SINK_*
   */
  open(identity: SourceIdentity, startLsn?: Lsn): Promise<PublisherSession>;
}

/** One string for a (topic, partition). */
export function laneKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
