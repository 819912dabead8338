import { recordBound } from '@outbound/kafka';
import type { TrackedTransaction } from '../ack/ack-tracker.ts';
import { Barriers } from './barriers.ts';
import { recordBytes, type OutboundRecord } from './outbound-record.ts';
import { laneKey, type LaneBatch } from './publisher.ts';

/** A record in its lane, with the transaction that waits for it. */
export interface QueuedRecord {
  readonly record: OutboundRecord;
  readonly transaction: TrackedTransaction;
  /** How many barriers it stands behind. */
  readonly behind: number;
}

/** A batch with what its delivery means. One object from its making to its confirmation, however often it is sent. */
export interface TrackedBatch extends LaneBatch {
  readonly lane: Lane;
  /** The transaction of each record, same order as `records`. */
  readonly transactions: readonly TrackedTransaction[];
  /** What its records count against the byte bound. */
  readonly bytes: number;
  /** What they take on the wire at the most. */
  readonly wireBytes: number;
}

/** The records of one partition in commit order. At most one batch of a lane is out at a time: that is what keeps the order (I3). */
export class Lane {
  readonly topic: string;
  readonly partition: number;
  #queue: QueuedRecord[] = [];
  #head = 0;
  #out: TrackedBatch | undefined;
  /** What this partition takes in one batch, as far as its refusals have taught. */
  #wireLimit = Infinity;
  readonly #barriers: Barriers;

  constructor(topic: string, partition: number, barriers = new Barriers()) {
    this.#barriers = barriers;
    this.topic = topic;
    this.partition = partition;
  }

  get isReady(): boolean {
    const next = this.#queue[this.#head];
    return this.#out === undefined && next !== undefined && this.#barriers.passes(next.behind);
  }

  get isEmpty(): boolean {
    return this.#out === undefined && this.#head === this.#queue.length;
  }

  get length(): number {
    return this.#queue.length - this.#head + (this.#out?.records.length ?? 0);
  }

  /** `behind`: it waits until so many barriers are confirmed. */
  push(record: OutboundRecord, transaction: TrackedTransaction, behind = 0): void {
    this.#queue.push({ record, transaction, behind });
  }

  /** Keeps of the queued records those that are wanted; asks for each, in order. */
  sift(isWanted: (record: OutboundRecord, transaction: TrackedTransaction) => boolean): void {
    this.#queue = this.#queue
      .slice(this.#head)
      .filter(({ record, transaction }) => isWanted(record, transaction));
    this.#head = 0;
  }

  /**
   * Takes the next batch out, at least one record if there is one, and no other until it is confirmed or refused. `limits.bytes` counts
   * what is on the wire.
   */
  take(limits: { records: number; bytes: number }): TrackedBatch | undefined {
    if (this.#out)
      throw new Error(`lane ${laneKey(this.topic, this.partition)} has a batch out already`);
    const records: OutboundRecord[] = [];
    const transactions: TrackedTransaction[] = [];
    const wireLimit = Math.min(limits.bytes, this.#wireLimit);
    let bytes = 0;
    let wireBytes = 0;
    for (; this.#head < this.#queue.length && records.length < limits.records; this.#head += 1) {
      const queued = this.#queue[this.#head];
      if (!queued || !this.#barriers.passes(queued.behind)) break;
      const size = recordBound(queued.record);
      if (records.length > 0 && wireBytes + size > wireLimit) break;
      records.push(queued.record);
      transactions.push(queued.transaction);
      bytes += recordBytes(queued.record);
      wireBytes += size;
    }
    this.#compact();
    if (records.length === 0) return undefined;
    this.#out = {
      topic: this.topic,
      partition: this.partition,
      lane: this,
      records,
      transactions,
      bytes,
      wireBytes,
    };
    return this.#out;
  }

  /** The batch is stored: the lane is free for the next one. */
  confirm(batch: TrackedBatch): void {
    if (this.#out !== batch)
      throw new Error(
        `lane ${laneKey(this.topic, this.partition)} was told of a batch that is not out`,
      );
    this.#out = undefined;
  }

  /**
   * The broker refuses the batch that is out, and nothing of it is stored. Of several records perhaps none is at fault but their sum: they are first in the queue again,
   * in their order, and no batch is more than half as large from now on. Gives those that are at fault themselves, a single one or those that the broker has
   * `named`: they are not in the lane any more.
   */
  refuse(batch: TrackedBatch, named: readonly number[] = []): readonly QueuedRecord[] {
    this.confirm(batch);
    const all = batch.records.flatMap((record, index): QueuedRecord[] => {
      const transaction = batch.transactions[index];
      return transaction ? [{ record, transaction, behind: 0 }] : [];
    });
    if (all.length === 1) return all;
    const faulty = new Set(named);
    const refused = all.filter((_, index) => faulty.has(index));
    if (refused.length === 0) this.#wireLimit = batch.wireBytes / 2;
    const others = all.filter((_, index) => !faulty.has(index));
    this.#queue = [...others, ...this.#queue.slice(this.#head)];
    this.#head = 0;
    return refused;
  }

  /** Gives the memory of what was taken back, at a cost that is constant per record. */
  #compact(): void {
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** All lanes, and which of them have something to send. */
export class Lanes {
  /** What the records of all lanes wait for. */
  readonly barriers = new Barriers();
  readonly #lanes = new Map<string, Lane>();

  /** The lane of a partition; made when it is first asked for. */
  lane(topic: string, partition: number): Lane {
    const key = laneKey(topic, partition);
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = new Lane(topic, partition, this.barriers);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  all(): Iterable<Lane> {
    return this.#lanes.values();
  }

  get isEmpty(): boolean {
    for (const lane of this.#lanes.values()) if (!lane.isEmpty) return false;
    return true;
  }

  /** Lanes that may send now, by the broker that leads them. */
  readyByLeader(leaderOf: (topic: string, partition: number) => number): Map<number, Lane[]> {
    const ready = new Map<number, Lane[]>();
    for (const lane of this.#lanes.values()) {
      if (!lane.isReady) continue;
      const leader = leaderOf(lane.topic, lane.partition);
      const lanes = ready.get(leader);
      if (lanes) lanes.push(lane);
      else ready.set(leader, [lane]);
    }
    return ready;
  }
}
