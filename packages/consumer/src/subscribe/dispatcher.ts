import {
  partitionKey,
  type FetchedRecords,
  type KafkaRecord,
  type TopicPartition,
} from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import type { BatchLimits } from './batch-due.ts';
import type { Committer } from './committer.ts';
import type { Delivered } from './delivery.ts';
import { Life } from './life.ts';
import { PartitionWork } from './partition-work.ts';
import { Slice } from './slice.ts';
import { bytesOfEach, type WaitingLimits } from './waiting-limits.ts';
import { within } from './within.ts';

/** What the dispatcher wants of the fetcher: to fetch no more of a partition for a while. */
export interface FetchPort {
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
}

/** Who takes the records of a topic to its handler (`Delivery`). */
export interface Deliver {
  one(record: KafkaRecord, life: Life): Delivered;
  batch(records: readonly KafkaRecord[], life: Life, finish: (index: number) => void): Delivered;
}

interface DispatcherOptions {
  /** By topic; with `batch` in batches. */
  readonly topics: ReadonlyMap<
    string,
    { readonly batch: BatchLimits | undefined; readonly deliver: Deliver }
  >;
  /** Done once for each assigned partition, before its first record is delivered. */
  readonly prepare: (topic: string) => Promise<void>;
  readonly fetch: FetchPort;
  readonly committer: Committer;
  /** Whether an event of the partition may be handed out now; may call `lose`. */
  readonly mayHandle: (partition: TopicPartition) => boolean;
  readonly concurrency: number;
  readonly limits: WaitingLimits;
  readonly clock: Clock;
  /** Ends the waiting for batches to become due. */
  readonly over: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

/** Records of one partition that are handled in one go, before another partition has its turn. */
const turnLength = 64;

/**
 * Hands records to the handlers: up to `concurrency` at once, partitions in turn, keys in order. Partitions come and go one by one; nothing
 * of one life of a partition is committed in another.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #works = new Map<string, PartitionWork>();
  /** The same, as an array, for the turns. */
  #rotation: readonly PartitionWork[] = [];
  #turn = 0;
  /** Deliveries of lives that are over, by partition. */
  readonly #leftOver = new Map<string, number>();
  readonly #pausedPartitions = new Set<string>();
  readonly #slice: Slice;
  #running = 0;
  #isPaused = false;
  #isClosed = false;
  #isPumpPlanned = false;
  #wakeAtMs: number | undefined;
  #finished = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#slice = new Slice(options.clock, () => this.#pumpSoon());
  }

  /** Records that were finished since the start, dead letters and ignored ones included. */
  get finished(): number {
    return this.#finished;
  }

  get works(): readonly PartitionWork[] {
    return this.#rotation;
  }

  isOurs(work: PartitionWork): boolean {
    return this.#works.get(partitionKey(work)) === work;
  }

  find(partition: TopicPartition): PartitionWork | undefined {
    return this.#works.get(partitionKey(partition));
  }

  /** The partition is ours: a life of it begins at `offset`. */
  assign({
    topic,
    partition,
    offset,
  }: TopicPartition & { readonly offset: bigint }): PartitionWork {
    const name = partitionKey({ topic, partition });
    const { limits } = this.#options;
    const { batch } = this.#topic(topic);
    const { clock, mayHandle } = this.#options;
    const life = new Life(clock, () => mayHandle({ topic, partition }));
    const work = new PartitionWork({ topic, partition, start: offset, life, batch, limits });
    work.leftOver = this.#leftOver.get(name) ?? 0;
    work.isPaused = this.#pausedPartitions.has(name);
    if (this.#isClosed) life.end();
    this.#works.set(name, work);
    this.#share();
    this.#options
      .prepare(topic)
      .then(() => {
        work.isPrepared = true;
        this.#pumpSoon();
      })
      .catch(this.#options.onFailure);
    return work;
  }

  /**
   * Takes a fetch. What does not follow the last one is a defect, which ends the subscription before anything behind it is handled: to
   * commit over it would lose what is missing, without a word.
   */
  take(fetched: FetchedRecords): void {
    const { topic, partition, from, highWatermark } = fetched;
    const work = this.find({ topic, partition });
    if (!work || work.life.isEnding) return;
    const nowMs = this.#options.clock.nowMs();
    work.highWatermark = { offset: highWatermark, atMs: nowMs };
    try {
      if (from !== work.tracker.reached)
        throw new RangeError(`records from offset ${from} came instead of ${work.tracker.reached}`);
      work.push(fetched, nowMs);
    } catch (cause) {
      work.life.abandon();
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#options.onFailure(
        new ConsumerError('RECORDS_SKIPPED', `${partitionKey(work)}: ${why}`, { cause }),
      );
      return;
    }
    if (work.isFull) work.copyWaiting();
    if (work.isFull && !work.isHeldBack) {
      work.isHeldBack = true;
      this.#options.fetch.pause([work]);
    }
    this.#pumpSoon();
  }

  /**
   * Nothing more of these is handed out until `resume`, over rebalances too; without an argument, nothing at all. What runs goes on, what
   * is fetched waits.
   */
  pause(partitions?: readonly TopicPartition[]): void {
    if (!partitions) this.#isPaused = true;
    else this.#setPaused(partitions, true);
  }

  /** Without an argument, of everything that was paused. */
  resume(partitions?: readonly TopicPartition[]): void {
    if (partitions) this.#setPaused(partitions, false);
    else {
      this.#isPaused = false;
      this.#pausedPartitions.clear();
      for (const work of this.#rotation) work.isPaused = false;
    }
    this.#pumpSoon();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /**
   * Ends the lives of these partitions: begins nothing more of them, waits up to `limitMs` for what runs, commits what is finished (for up
   * to half as long once more), and forgets what waits. What still runs then is abandoned: its signal is aborted and its result does not
   * count. Other partitions go on.
   * @returns how many deliveries were abandoned.
   */
  async revoke(partitions: readonly TopicPartition[], limitMs: number): Promise<number> {
    const works = partitions.flatMap((each) => this.find(each) ?? []);
    for (const work of works) {
      work.isRevoking = true;
      work.life.end();
    }
    await within(this.#options.clock, limitMs, Promise.all(works.map((each) => each.whenIdle())));
    await this.#options.committer.now(works, limitMs / 2);
    let abandoned = 0;
    for (const work of works) {
      if (this.isOurs(work)) abandoned += work.out;
      this.#drop(work);
    }
    return abandoned;
  }

  /**
   * Begins a new life of one of our partitions at another offset, which is committed even if it is lower. Waits up to `limitMs` for what
   * runs in the old one. **Order**: the fetcher is to be sought in the same turn in which this resolves.
   * @returns false if the old life is not ours any more, or about to go.
   */
  async restart(work: PartitionWork, offset: bigint, limitMs: number): Promise<boolean> {
    work.life.end();
    await within(this.#options.clock, limitMs, work.whenIdle());
    if (!this.isOurs(work) || work.isRevoking) return false;
    this.#drop(work);
    const { topic, partition } = work;
    const fresh = this.assign({ topic, partition, offset });
    // Whatever the group has: a commit of the old life may still be on its way, and must not have the last word.
    fresh.committed = -1n;
    fresh.mayLower = true;
    this.#goOn(fresh);
    return true;
  }

  /** Goes on at a later offset: Kafka has removed what is in between. */
  skip(partition: TopicPartition, offset: bigint): void {
    const work = this.find(partition);
    if (!work || offset <= work.tracker.reached) return;
    work.tracker.skipTo(offset);
    this.#goOn(work);
  }

  /** These partitions are not ours any more: what runs does not count, what waits is forgotten, nothing is committed. */
  lose(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const work = this.find(partition);
      if (work) this.#drop(work);
    }
  }

  /** Takes nothing more, for good. What runs may end. */
  close(): void {
    this.#isClosed = true;
    for (const { life } of this.#rotation) life.end();
  }

  #topic(topic: string): { readonly batch: BatchLimits | undefined; readonly deliver: Deliver } {
    const found = this.#options.topics.get(topic);
    if (!found) throw new RangeError(`topic ${topic} is not one of the subscription`);
    return found;
  }

  #drop(work: PartitionWork): void {
    if (!this.isOurs(work)) return;
    const name = partitionKey(work);
    work.life.abandon();
    if (work.out > 0) this.#leftOver.set(name, (this.#leftOver.get(name) ?? 0) + work.out);
    this.#works.delete(name);
    this.#share();
  }

  /** After partitions have come or gone: whose turn it is, and what each may keep. */
  #share(): void {
    this.#rotation = [...this.#works.values()];
    const { limits } = this.#options;
    const maxBytes = bytesOfEach(limits, this.#rotation.length);
    for (const work of this.#rotation) work.limits = { maxEvents: limits.maxEvents, maxBytes };
  }

  #setPaused(partitions: readonly TopicPartition[], isPaused: boolean): void {
    for (const partition of partitions) {
      const name = partitionKey(partition);
      if (isPaused) this.#pausedPartitions.add(name);
      else this.#pausedPartitions.delete(name);
      const work = this.#works.get(name);
      if (work) work.isPaused = isPaused;
    }
  }

  #pumpSoon(): void {
    if (this.#isPumpPlanned) return;
    this.#isPumpPlanned = true;
    queueMicrotask(() => {
      this.#isPumpPlanned = false;
      try {
        this.#pump();
      } catch (error) {
        this.#options.onFailure(error);
      }
    });
  }

  #pump(): void {
    let withoutWork = 0;
    while (this.#running < this.#options.concurrency && withoutWork < this.#rotation.length) {
      if (this.#isPaused || this.#isClosed) return;
      if (this.#slice.isOver) return this.#slice.goOnAfter();
      this.#turn = (this.#turn + 1) % this.#rotation.length;
      const work = this.#rotation[this.#turn];
      const isServed =
        work?.isReady === true && (work.batch ? this.#batch(work) : this.#ones(work));
      withoutWork = isServed ? 0 : withoutWork + 1;
      if (work && isServed) this.#goOn(work);
    }
    this.#planWake();
  }

  /** Gives whether anything was begun. */
  #ones(work: PartitionWork): boolean {
    const { deliver } = this.#topic(work.topic);
    const { life, tracker } = work;
    let served = 0;
    while (served < turnLength && !work.isPaused && !this.#isPaused && life.mayBegin) {
      const number = work.next();
      const record = number === undefined ? undefined : tracker.at(number);
      if (number === undefined || record === undefined) break;
      served += 1;
      const delivered = deliver.one(record, life);
      if (delivered === true) {
        work.release(number, record);
        this.#finish(work, number);
      } else {
        work.occupy(number, record);
        this.#wait(work, delivered, number, number + 1);
        break;
      }
    }
    return served > 0;
  }

  #batch(work: PartitionWork): boolean {
    const { life, tracker } = work;
    if (work.isPaused || work.out > 0 || !life.mayBegin) return false;
    const range = work.nextBatch(this.#options.clock.nowMs());
    if (!range) return false;
    const { from, to } = range;
    const { deliver } = this.#topic(work.topic);
    const delivered = deliver.batch(tracker.slice(from, to), life, (index) =>
      this.#finish(work, from + index),
    );
    if (delivered === true)
      for (let number = from; number < to; number += 1) this.#finish(work, number);
    else this.#wait(work, delivered, from, to);
    return true;
  }

  #wait(work: PartitionWork, delivered: Exclude<Delivered, true>, from: number, to: number): void {
    this.#running += 1;
    work.out += 1;
    const record = work.tracker.at(from);
    delivered.then(
      (isFinished) => {
        if (isFinished)
          for (let number = from; number < to; number += 1) this.#finish(work, number);
        if (record && !work.batch) work.release(from, record);
        this.#ended(work);
      },
      (error: unknown) => {
        if (!work.life.isAbandoned) this.#options.onFailure(error);
        this.#ended(work);
      },
    );
  }

  #finish(work: PartitionWork, number: number): void {
    if (!work.life.isAbandoned && work.finish(number)) this.#finished += 1;
  }

  #ended(work: PartitionWork): void {
    this.#running -= 1;
    work.ended();
    if (this.isOurs(work)) this.#goOn(work);
    else {
      const name = partitionKey(work);
      const left = (this.#leftOver.get(name) ?? 1) - 1;
      if (left === 0) this.#leftOver.delete(name);
      else this.#leftOver.set(name, left);
      const successor = this.#works.get(name);
      if (successor) successor.leftOver = left;
    }
    this.#pumpSoon();
  }

  #goOn(work: PartitionWork): void {
    if (work.isHeldBack && !work.hasRoom) work.copyWaiting();
    if (work.isHeldBack && work.hasRoom) {
      work.isHeldBack = false;
      this.#options.fetch.resume([work]);
    }
    if (work.toCommit !== undefined) this.#options.committer.soon();
  }

  /** Wakes up when the next batch is due. */
  #planWake(): void {
    const { clock, over } = this.#options;
    const nowMs = clock.nowMs();
    let dueMs = Infinity;
    for (const work of this.#rotation) {
      const due = work.dueInMs(nowMs) ?? Infinity;
      if (due > 0) dueMs = Math.min(dueMs, due);
    }
    const atMs = nowMs + dueMs;
    if (dueMs === Infinity) return;
    if (this.#wakeAtMs !== undefined && this.#wakeAtMs <= atMs) return;
    this.#wakeAtMs = atMs;
    clock.sleep(dueMs, over).then(
      () => {
        if (this.#wakeAtMs === atMs) this.#wakeAtMs = undefined;
        if (!over.aborted) this.#pumpSoon();
      },
      () => undefined,
    );
  }
}
