import { partitionKey, type FetchedRecords, type TopicPartition } from '@outbound/kafka';
import { ConsumerError } from '../errors.ts';
import type { BatchLimits } from './batch-due.ts';
import { BatchWake } from './batch-wake.ts';
import type { Delivered } from './delivery.ts';
import type { Deliver, DispatcherOptions } from './dispatcher-options.ts';
import { Life } from './life.ts';
import { PartitionWork } from './partition-work.ts';
import { PartitionWorks } from './partition-works.ts';
import { RunningDeliveries } from './running-deliveries.ts';
import { Slice } from './slice.ts';
import { unlessAborted } from './unless-aborted.ts';
import { within } from './within.ts';

/** Records of one partition that are handled in one go, before another partition has its turn. */
const turnLength = 64;

/**
 * Hands records to the handlers: up to `concurrency` at once, partitions in turn, keys in order. Partitions come and go one by one; nothing
 * of one life of a partition is committed in another.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #works: PartitionWorks;
  readonly #slice: Slice;
  readonly #batchWake: BatchWake;
  readonly #running = new RunningDeliveries();
  #isPaused = false;
  #isClosed = false;
  #isPumpPlanned = false;
  #finished = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#works = new PartitionWorks(options.limits);
    this.#slice = new Slice(options.clock, () => this.#pumpSoon());
    this.#batchWake = new BatchWake(options.clock, options.over, () => this.#pumpSoon());
  }

  /** Records that were finished since the start, dead letters and ignored ones included. */
  get finished(): number {
    return this.#finished;
  }

  get works(): readonly PartitionWork[] {
    return this.#works.all;
  }

  isOurs(work: PartitionWork): boolean {
    return this.#works.isOurs(work);
  }

  find(partition: TopicPartition): PartitionWork | undefined {
    return this.#works.find(partition);
  }

  /** The partition is ours: a life of it begins at `offset`. */
  assign({
    topic,
    partition,
    offset,
  }: TopicPartition & { readonly offset: bigint }): PartitionWork {
    const { limits } = this.#options;
    const { batch } = this.#topic(topic);
    const { clock, mayHandle } = this.#options;
    const life = new Life(clock, () => mayHandle({ topic, partition }));
    const work = new PartitionWork({ topic, partition, start: offset, life, batch, limits });
    if (this.#isClosed) life.end();
    this.#works.begin(work);
    this.#options
      .prepare({ topic, partition })
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
    else this.#works.pause(partitions);
    // Whoever waits to be alone waits for more than one partition's sake.
    for (const work of this.#works.all)
      if (this.isPausedFor(work) && typeof work.alone === 'object') work.alone.giveUp();
  }

  /** Without an argument, of everything that was paused. */
  resume(partitions?: readonly TopicPartition[]): void {
    if (!partitions) this.#isPaused = false;
    this.#works.resume(partitions);
    this.#pumpSoon();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether nothing of the partition is handed out now; of one that is not ours, too. */
  isPausedFor(at: TopicPartition): boolean {
    return this.#isPaused || this.find(at)?.isPaused !== false;
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
      this.#works.drop(work);
    }
    return abandoned;
  }

  /**
   * Begins a new life of one of our partitions at another offset, which is committed even if it is lower. Waits up to `limitMs` for what
   * runs in the old one, and fetches nothing meanwhile. **Order**: the fetcher is to be sought and resumed in the same turn in which this
   * resolves.
   * @returns false if the old life is not ours any more, or about to go.
   */
  async restart(work: PartitionWork, offset: bigint, limitMs: number): Promise<boolean> {
    work.life.end();
    // What came meanwhile would be thrown away.
    work.isHeldBack = true;
    this.#options.fetch.pause([work]);
    await within(this.#options.clock, limitMs, work.whenIdle());
    if (!this.isOurs(work) || work.isRevoking) return false;
    this.#works.drop(work);
    const { topic, partition } = work;
    const fresh = this.assign({ topic, partition, offset });
    // Whatever the group has: a commit of the old life may still be on its way, and must not have the last word.
    fresh.committed = -1n;
    fresh.mayLower = true;
    fresh.soughtTo = offset;
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

  /**
   * Runs `task` while nothing else of the partition does, as one of the handlers; the partition goes on behind it.
   * Undefined without a call if the partition is not ours or paused, or goes or is paused before it could begin; and at
   * once when its life is abandoned: what still runs then keeps the next life waiting, as every handler does, and what
   * comes of it is not told. One at a time for each partition.
   */
  async alone<Result>(
    at: TopicPartition,
    task: (life: Life) => Promise<Result>,
  ): Promise<Result | undefined> {
    const work = this.find(at);
    if (!work || work.alone !== undefined || !(await this.#turn(work))) return undefined;
    const run = async (): Promise<Result> => {
      try {
        return await task(work.life);
      } finally {
        work.alone = undefined;
        this.#ended(work);
      }
    };
    return unlessAborted(run(), work.life.abandoned);
  }

  /** These partitions are not ours any more: what runs does not count, what waits is forgotten, nothing is committed. */
  lose(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const work = this.find(partition);
      if (work) this.#works.drop(work);
    }
  }

  /** Waits up to `limitMs` for every delivery, also of lives that are over; gives how many still run then. */
  async quiet(limitMs: number): Promise<number> {
    await within(this.#options.clock, limitMs, this.#running.none());
    return this.#running.count;
  }

  /** Takes nothing more, for good. What runs may end. */
  close(): void {
    this.#isClosed = true;
    for (const { life } of this.#works.all) life.end();
  }

  /** Resolves when the work is ours alone; false if its life ended first, or it is paused. */
  async #turn(work: PartitionWork): Promise<boolean> {
    const { ending } = work.life;
    if (ending.aborted || this.isPausedFor(work)) return false;
    return new Promise((resolve) => {
      const giveUp = (): void => {
        ending.removeEventListener('abort', giveUp);
        work.alone = undefined;
        resolve(false);
      };
      ending.addEventListener('abort', giveUp, { once: true });
      const begin = (): void => {
        ending.removeEventListener('abort', giveUp);
        resolve(true);
      };
      work.alone = { begin, giveUp };
      this.#pumpSoon();
    });
  }

  #topic(topic: string): { readonly batch: BatchLimits | undefined; readonly deliver: Deliver } {
    const found = this.#options.topics.get(topic);
    if (!found) throw new RangeError(`topic ${topic} is not one of the subscription`);
    return found;
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
    const { concurrency } = this.#options;
    while (this.#running.count < concurrency && withoutWork < this.#works.all.length) {
      if (this.#isPaused || this.#isClosed) return;
      if (this.#slice.isOver) return this.#slice.goOnAfter();
      const work = this.#works.next();
      const isServed = work?.isReady === true && this.#serve(work);
      withoutWork = isServed ? 0 : withoutWork + 1;
      if (work && isServed) this.#goOn(work);
    }
    this.#batchWake.plan(this.#works.all);
  }

  /** Gives whether anything was begun. */
  #serve(work: PartitionWork): boolean {
    const { alone } = work;
    if (alone === undefined) return work.batch ? this.#batch(work) : this.#ones(work);
    if (alone === 'runs' || work.out > 0 || work.isPaused || !work.life.mayBegin) return false;
    work.alone = 'runs';
    this.#running.begin();
    work.out += 1;
    alone.begin();
    return true;
  }

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
    this.#running.begin();
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
    this.#running.end();
    work.ended();
    if (this.isOurs(work)) this.#goOn(work);
    else this.#works.leftOverEnded(work);
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
}
