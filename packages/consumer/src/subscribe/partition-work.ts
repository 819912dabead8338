import { keyText, type KafkaRecord } from '@outbound/kafka';
import { batchDueInMs, batchLength, type BatchLimits } from './batch-due.ts';
import { KeyLanes } from './key-lanes.ts';
import { OffsetTracker } from './offset-tracker.ts';

interface Item {
  readonly key: string;
  readonly bytes: number;
  readonly arrivedMs: number;
  readonly record: KafkaRecord;
}

/** How much may wait in one partition before no more is fetched for it. */
export interface WaitingLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/**
 * One partition for the time of one assignment: what waits, what is out, and how far it may be committed. Pure but for the clock that it is given. With `batch`
 * the whole partition is one lane; without, each key is.
 */
export class PartitionWork {
  readonly topic: string;
  readonly partition: number;
  readonly tracker = new OffsetTracker();
  /** What was committed last by us; undefined before anything was. */
  committed: bigint | undefined;
  /** Set once its parked keys are known and nothing of an earlier assignment runs any more. */
  isReady = false;
  /** We told Kafka to fetch no more of it. */
  isHeldBack = false;
  readonly #batch: BatchLimits | undefined;
  readonly #limits: WaitingLimits;
  readonly #lanes = new KeyLanes<Item>();
  #queue: Item[] = [];
  #queueBytes = 0;
  #isBatchOut = false;

  constructor(options: {
    readonly topic: string;
    readonly partition: number;
    readonly batch: BatchLimits | undefined;
    readonly limits: WaitingLimits;
  }) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.#batch = options.batch;
    this.#limits = options.limits;
  }

  get isFull(): boolean {
    return this.#fill >= 1;
  }

  /** Room for another fetch; well below full, so that Kafka is not told to stop and go at every event. */
  get hasRoom(): boolean {
    return this.#fill < 0.5;
  }

  push(records: readonly KafkaRecord[], next: bigint, nowMs: number): void {
    this.tracker.add(records, next);
    for (const record of records) {
      const item = {
        key: laneOf(record),
        bytes: record.value?.byteLength ?? 0,
        arrivedMs: nowMs,
        record,
      };
      if (this.#batch) {
        this.#queue.push(item);
        this.#queueBytes += item.bytes;
      } else this.#lanes.push(item);
    }
  }

  /** What may be delivered now; undefined if nothing. To be given back with `release`. */
  take(nowMs: number): readonly KafkaRecord[] | undefined {
    if (!this.isReady) return undefined;
    if (!this.#batch) {
      const item = this.#lanes.take();
      return item && [item.record];
    }
    if (this.dueInMs(nowMs) !== 0) return undefined;
    const length = batchLength(
      this.#queue.map(({ bytes }) => bytes),
      this.#batch,
    );
    const items = this.#queue.slice(0, length);
    this.#queue = this.#queue.slice(length);
    for (const { bytes } of items) this.#queueBytes -= bytes;
    this.#isBatchOut = true;
    return items.map(({ record }) => record);
  }

  /** How long until a batch is due; undefined without batches, with nothing waiting, or while one is out. */
  dueInMs(nowMs: number): number | undefined {
    const [oldest] = this.#queue;
    if (!this.#batch || !oldest || this.#isBatchOut || !this.isReady) return undefined;
    return batchDueInMs(
      { count: this.#queue.length, bytes: this.#queueBytes, oldestMs: oldest.arrivedMs },
      nowMs,
      this.#batch,
    );
  }

  release([first]: readonly KafkaRecord[]): void {
    if (this.#batch) this.#isBatchOut = false;
    else if (first) this.#lanes.release(laneOf(first));
  }

  /** The offset to commit, if it is another than the committed one. */
  get toCommit(): bigint | undefined {
    const { position } = this.tracker;
    return position === this.committed ? undefined : position;
  }

  get #fill(): number {
    const count = this.#lanes.count + this.#queue.length;
    const bytes = this.#lanes.bytes + this.#queueBytes;
    return Math.max(count / this.#limits.maxEvents, bytes / this.#limits.maxBytes);
  }
}

/** Records without a key are one lane. */
function laneOf({ key }: KafkaRecord): string {
  return key === null ? '' : `k${keyText(key)}`;
}
