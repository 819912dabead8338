import type { FetchedRecords, KafkaRecord } from '@outbound/kafka';
import { batchDueInMs, type BatchLimits } from './batch-due.ts';
import { copyRecord, sizeOf } from './copy-record.ts';
import { KeptBytes, type KeptAnswer } from './kept-bytes.ts';
import { KeyLanes, laneOf } from './key-lanes.ts';
import type { Life } from './life.ts';
import { OffsetTracker } from './offset-tracker.ts';

/** Events that may be read beyond an unfinished one: they come again after a crash, and each takes 8 bytes here. */
const maxSpan = 1_000_000;

/**
 * One partition for one life: what waits, what is out, and how far it may be committed. Pure but for the clock that it is given. With
 * `batch` the whole partition is one lane; without, each key is. Records are named by their number in `tracker`.
 */
export class PartitionWork {
  readonly topic: string;
  readonly partition: number;
  readonly life: Life;
  readonly batch: BatchLimits | undefined;
  readonly tracker: OffsetTracker<KafkaRecord>;
  /** What the group has committed. */
  committed: bigint;
  /** Set once its parked keys are known. */
  isPrepared = false;
  /** Deliveries of earlier lives that have not ended: nothing is begun before they have. */
  leftOver = 0;
  /** Deliveries of this life that have not ended. */
  out = 0;
  /**
   * Somebody wants to run alone in it: what to call when it is their turn, or will not be; or that they run. Nothing else
   * is begun then.
   */
  alone: { readonly begin: () => void; readonly giveUp: () => void } | 'runs' | undefined;
  /** Nothing of it is begun. */
  isPaused = false;
  /** It is about to go to another member. */
  isRevoking = false;
  /** Its first commit may be below what the group has: it was begun anew there on purpose. */
  mayLower = false;
  /** Where it was begun anew on purpose, whatever is there; undefined where it goes on. */
  soughtTo: bigint | undefined;
  /** We told the fetcher to fetch no more of it. */
  isHeldBack = false;
  /** What Kafka had at the last answer, and when that came; undefined before the first. */
  highWatermark: { readonly offset: bigint; readonly atMs: number } | undefined;
  /** Of what waits; the bytes are its share, which changes as partitions come and go. */
  limits: { readonly maxEvents: number; readonly maxBytes: number };
  readonly #kept = new KeptBytes();
  readonly #lanes = new KeyLanes();
  /** Numbers of the records that are with handlers which take their time. */
  readonly #outNumbers = new Set<number>();
  /** Number of the next record that was not looked at. */
  #cursor = 0;
  /** Keys and values of what waits for a batch. */
  #waitingBytes = 0;
  readonly #whenIdle: (() => void)[] = [];
  /** When the records below a number arrived; of those that wait for a batch. */
  readonly #arrivals: { readonly end: number; readonly atMs: number }[] = [];

  constructor(options: {
    readonly topic: string;
    readonly partition: number;
    readonly start: bigint;
    readonly life: Life;
    readonly batch: BatchLimits | undefined;
    readonly limits: PartitionWork['limits'];
  }) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.life = options.life;
    this.batch = options.batch;
    this.tracker = new OffsetTracker(options.start);
    this.committed = options.start;
    this.limits = options.limits;
  }

  get isReady(): boolean {
    return this.isPrepared && this.leftOver === 0;
  }

  get isFull(): boolean {
    return this.#fill >= 1;
  }

  /** Room for another fetch; well below full, so that the fetcher is not told to stop and go at every event. */
  get hasRoom(): boolean {
    return this.#fill < 0.5;
  }

  /** A delivery has ended. */
  ended(): void {
    this.out -= 1;
    if (this.out === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Resolves when no delivery of this life runs. */
  async whenIdle(): Promise<void> {
    if (this.out > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** What its unfinished records keep in memory, bytes; without answers of which only handlers have something. */
  get keptBytes(): number {
    return this.#kept.bytes;
  }

  /** @throws RangeError for offsets that do not ascend from what was read. */
  push(
    { records, next, byteCount }: Pick<FetchedRecords, 'records' | 'next' | 'byteCount'>,
    nowMs: number,
  ): void {
    const before = this.tracker.end;
    this.tracker.add(records, next);
    this.#kept.add(before, this.tracker.end, byteCount);
    if (!this.batch || records.length === 0) return;
    for (const record of records) this.#waitingBytes += sizeOf(record);
    this.#arrivals.push({ end: this.tracker.end, atMs: nowMs });
  }

  /** The record is done with for good; false if it was before. */
  finish(number: number): boolean {
    if (!this.tracker.finish(number)) return false;
    this.#kept.finish(number);
    return true;
  }

  /**
   * Copies what waits, where little of an answer keeps all of it in memory: otherwise one slow key, with an event in each fetch, would keep
   * everything that came since. What running handlers have stays as it is, and the answers that only they keep count no more: they are no more
   * than handlers, and a long one must not stop the other keys. What waits for a batch is soon gone. Far from the bound there is nothing to
   * win: a partition that is full of events gives its answers back as fast as they are handled, and copies would be its work.
   */
  copyWaiting(): void {
    if (this.batch || this.keptBytes * 2 < this.limits.maxBytes) return;
    const outs = new Map<KeptAnswer, number>();
    for (const number of this.#outNumbers) {
      const answer = this.#kept.of(number);
      if (answer) outs.set(answer, (outs.get(answer) ?? 0) + 1);
    }
    for (const [answer, out] of outs) if (out === answer.unfinished) this.#kept.copied(answer, 0);
    // Where a handler has begun the others are soon handled, too: only what is left behind is worth it.
    for (const answer of [...this.#kept.toLookAt()]) this.#copy(answer, outs.has(answer) ? 4 : 2);
  }

  /**
   * Number of the record that may be handled next; undefined if there is none. To be given back with `release`, unless it is finished at
   * once.
   */
  next(): number | undefined {
    const queued = this.#lanes.take();
    if (queued !== undefined) return queued;
    while (this.#cursor < this.tracker.end) {
      const number = this.#cursor;
      this.#cursor += 1;
      const record = this.tracker.at(number);
      if (record === undefined) continue;
      if (this.#lanes.isIdle || !this.#lanes.queue(laneOf(record), number)) return number;
    }
    return undefined;
  }

  /** The record is out until `release`: later ones of its key wait. */
  occupy(number: number, record: KafkaRecord): void {
    this.#outNumbers.add(number);
    this.#lanes.occupy(laneOf(record));
  }

  /** The record is done with, finished or not. */
  release(number: number, record: KafkaRecord): void {
    this.#outNumbers.delete(number);
    if (!this.#lanes.isIdle) this.#lanes.release(laneOf(record));
  }

  /** Numbers of the records of a batch that may be handled now, the last one exclusive; undefined if none is due. */
  nextBatch(nowMs: number): { readonly from: number; readonly to: number } | undefined {
    if (!this.batch || this.dueInMs(nowMs) !== 0) return undefined;
    const { maxEvents, maxBytes } = this.batch;
    const from = this.#cursor;
    const end = Math.min(this.tracker.end, from + maxEvents);
    let bytes = 0;
    while (this.#cursor < end) {
      const record = this.tracker.at(this.#cursor);
      const size = record ? sizeOf(record) : 0;
      // At least one, however long it is.
      if (this.#cursor > from && bytes + size > maxBytes) break;
      bytes += size;
      this.#cursor += 1;
    }
    this.#waitingBytes -= bytes;
    this.#forgetArrivals();
    return { from, to: this.#cursor };
  }

  /** How long until a batch is due; undefined without batches, with nothing waiting, or while one is out. */
  dueInMs(nowMs: number): number | undefined {
    if (!this.batch || this.out > 0 || !this.isReady) return undefined;
    return batchDueInMs(
      {
        count: this.tracker.end - this.#cursor,
        bytes: this.#waitingBytes,
        oldestMs: this.#arrivals[0]?.atMs ?? nowMs,
        // No other event would come, however long it waited.
        isAll: this.isHeldBack || this.isFull,
      },
      nowMs,
      this.batch,
    );
  }

  /** The offset to commit, if it is another than the committed one. */
  get toCommit(): bigint | undefined {
    const { position } = this.tracker;
    return position === this.committed ? undefined : position;
  }

  /** @param gain how many times its copies an answer must be. */
  #copy(answer: KeptAnswer, gain: number): void {
    const { tracker } = this;
    const numbers: number[] = [];
    let bytes = 0;
    for (let number = answer.from; number < answer.end; number += 1) {
      const record = tracker.at(number);
      if (record === undefined || this.#outNumbers.has(number)) continue;
      numbers.push(number);
      bytes += sizeOf(record);
    }
    if (bytes * gain > answer.bytes) return this.#kept.lookLater(answer);
    bytes = 0;
    for (const number of numbers) {
      const record = tracker.at(number);
      if (record === undefined) continue;
      const copied = copyRecord(record);
      tracker.replace(number, copied.record);
      bytes += copied.bytes;
    }
    this.#kept.copied(answer, bytes);
  }

  #forgetArrivals(): void {
    while ((this.#arrivals[0]?.end ?? Infinity) <= this.#cursor) this.#arrivals.shift();
  }

  get #fill(): number {
    const count = this.tracker.end - this.#cursor + this.#lanes.waiting;
    return Math.max(
      count / this.limits.maxEvents,
      this.#kept.bytes / this.limits.maxBytes,
      this.tracker.span / maxSpan,
    );
  }
}
