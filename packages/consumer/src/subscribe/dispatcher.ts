import type { KafkaRecord } from '@outbound/kafka';
import type { KafkaLog } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import type { BatchLimits } from './batch-due.ts';
import type { DeliverySignals } from './delivery.ts';
import { PartitionWork, type WaitingLimits } from './partition-work.ts';
import { within } from './within.ts';

/** One fetch of one partition. */
export interface FetchedRecords {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly KafkaRecord[];
  /** Where the next fetch begins. */
  readonly next: bigint;
}

export interface CommitPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** What the dispatcher wants of Kafka. */
export interface GroupPort {
  /** Fetches no more of the partition until `resume`. */
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /** Commits as a member of the present generation; a rejection says that it is another, or that Kafka cannot be reached. */
  commit(positions: readonly CommitPosition[]): Promise<void>;
}

interface DispatcherOptions {
  readonly deliver: (
    records: readonly KafkaRecord[],
    signals: DeliverySignals,
    finish: (offset: bigint) => void,
  ) => Promise<void>;
  /** Done once for each assigned partition, before its first record is delivered. */
  readonly prepare: (topic: string) => Promise<void>;
  readonly port: GroupPort;
  readonly concurrency: number;
  readonly batch: BatchLimits | undefined;
  readonly limits: WaitingLimits;
  readonly commitIntervalMs: number;
  /** Commits that fail for longer than this end the subscription. */
  readonly commitFailureLimitMs: number;
  readonly onFailure: (error: unknown) => void;
  readonly log: KafkaLog;
}

/** The signals of one assignment. */
interface Epoch {
  readonly ending: AbortController;
  readonly abandoned: AbortController;
}

const newEpoch = (): Epoch => ({ ending: new AbortController(), abandoned: new AbortController() });

/**
 * Hands records to the handler: up to `concurrency` at once, partitions in turn, keys in order; and commits what is finished. An epoch is the time between two
 * joins of the group; nothing of one epoch is committed in the next.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #epoch = newEpoch();
  readonly #works = new Map<string, PartitionWork>();
  /** Deliveries of this and earlier epochs that have not ended. */
  readonly #running = new Map<Promise<void>, { readonly name: string; readonly epoch: Epoch }>();
  #isPaused = false;
  #isClosed = false;
  #dueTimer: NodeJS.Timeout | undefined;
  #commitTimer: NodeJS.Timeout | undefined;
  #committing: Promise<void> | undefined;
  #commitFailingSinceMs: number | undefined;
  #handled = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Records that were finished since the start, dead letters and ignored ones included. */
  get finished(): number {
    return this.#handled;
  }

  get works(): Iterable<PartitionWork> {
    return this.#works.values();
  }

  /** Takes a fetch. False if nothing is wanted now: the records are to be fetched again later. */
  take({ topic, partition, records, next }: FetchedRecords): boolean {
    if (this.#isClosed) return false;
    const name = `${topic}/${partition}`;
    let work = this.#works.get(name);
    const [first] = records;
    if (work && first && first.offset < (work.tracker.reached ?? first.offset)) {
      // The topic was made anew, or cut off: what is known of the offsets is of no use any more.
      this.#options.log.warn(
        { topic, partition, offset: String(first.offset) },
        'partition begins again at a lower offset',
      );
      work = undefined;
    }
    if (!work) {
      work = new PartitionWork({
        topic,
        partition,
        batch: this.#options.batch,
        limits: this.#options.limits,
      });
      this.#works.set(name, work);
      this.#prepare(name, work).catch(this.#options.onFailure);
    }
    work.push(records, next, performance.now());
    if (work.isFull && !work.isHeldBack) {
      work.isHeldBack = true;
      this.#options.port.pause(topic, partition);
    }
    this.#pump();
    return true;
  }

  /** Nothing more is handed out until `resume`; what runs goes on, what is fetched waits. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#pump();
  }

  /**
   * Ends the epoch: begins nothing more, waits up to `limitMs` for what runs, commits what is finished, and forgets what waits. What still runs then is
   * abandoned: its signal is aborted and its result does not count.
   * @returns how many deliveries were abandoned.
   */
  async drain(limitMs: number): Promise<number> {
    const epoch = this.#epoch;
    epoch.ending.abort();
    await within(limitMs, Promise.all(this.#runningOf(epoch)));
    clearTimeout(this.#commitTimer);
    this.#commitTimer = undefined;
    await this.#committing;
    await this.#commit();
    const leftOver = this.#runningOf(epoch).length;
    epoch.abandoned.abort();
    for (const { isHeldBack, topic, partition } of this.#works.values())
      if (isHeldBack) this.#options.port.resume(topic, partition);
    this.#works.clear();
    this.#commitFailingSinceMs = undefined;
    this.#epoch = newEpoch();
    return leftOver;
  }

  /** Takes nothing more, for good. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#dueTimer);
    clearTimeout(this.#commitTimer);
    for (const { topic, partition } of this.#works.values())
      this.#options.port.pause(topic, partition);
  }

  async #prepare(name: string, work: PartitionWork): Promise<void> {
    const earlier = [...this.#running].filter(([, each]) => each.name === name);
    await Promise.all([this.#options.prepare(work.topic), ...earlier.map(([each]) => each)]);
    work.isReady = true;
    this.#pump();
  }

  #runningOf(epoch: Epoch): Promise<void>[] {
    return [...this.#running].filter(([, each]) => each.epoch === epoch).map(([each]) => each);
  }

  #pump(): void {
    if (this.#isPaused || this.#isClosed || this.#epoch.ending.signal.aborted) return;
    const nowMs = performance.now();
    let dueMs: number | undefined;
    for (let progress = true; progress && this.#running.size < this.#options.concurrency;) {
      progress = false;
      for (const [name, work] of [...this.#works]) {
        if (this.#running.size >= this.#options.concurrency) break;
        const records = work.take(nowMs);
        if (!records) continue;
        progress = true;
        // To the end of the line, so that a full partition does not keep the others waiting.
        this.#works.delete(name);
        this.#works.set(name, work);
        this.#start(name, work, records);
      }
    }
    for (const work of this.#works.values()) {
      const due = work.dueInMs(nowMs);
      if (due !== undefined && due > 0 && (dueMs === undefined || due < dueMs)) dueMs = due;
    }
    clearTimeout(this.#dueTimer);
    if (dueMs !== undefined) this.#dueTimer = setTimeout(() => this.#pump(), Math.ceil(dueMs));
  }

  #start(name: string, work: PartitionWork, records: readonly KafkaRecord[]): void {
    const epoch = this.#epoch;
    const finish = (offset: bigint) => {
      if (epoch.abandoned.signal.aborted) return;
      work.tracker.finish(offset);
      this.#handled += 1;
    };
    const signals = { ending: epoch.ending.signal, abandoned: epoch.abandoned.signal };
    const running = this.#options
      .deliver(records, signals, finish)
      .catch((error: unknown) => {
        if (!epoch.abandoned.signal.aborted) this.#options.onFailure(error);
      })
      .then(() => {
        this.#running.delete(running);
        work.release(records);
        if (this.#works.get(name) === work) this.#goOn(work);
        this.#pump();
      });
    this.#running.set(running, { name, epoch });
  }

  #goOn(work: PartitionWork): void {
    if (work.isHeldBack && work.hasRoom) {
      work.isHeldBack = false;
      this.#options.port.resume(work.topic, work.partition);
    }
    if (work.toCommit !== undefined) this.#commitSoon();
  }

  #commitSoon(): void {
    if (this.#commitTimer !== undefined || this.#isClosed) return;
    this.#commitTimer = setTimeout(() => {
      this.#commitTimer = undefined;
      this.#committing = this.#commit();
      // #commit never rejects; it is awaited by whoever ends the epoch.
      this.#committing.catch(this.#options.onFailure);
    }, this.#options.commitIntervalMs);
  }

  async #commit(): Promise<void> {
    const changed: { work: PartitionWork; position: CommitPosition }[] = [];
    for (const work of this.#works.values()) {
      const { topic, partition, toCommit: offset } = work;
      if (offset !== undefined) changed.push({ work, position: { topic, partition, offset } });
    }
    if (changed.length === 0) return;
    try {
      await this.#options.port.commit(changed.map(({ position }) => position));
      for (const { work, position } of changed) work.committed = position.offset;
      this.#commitFailingSinceMs = undefined;
    } catch (error) {
      const nowMs = performance.now();
      this.#commitFailingSinceMs ??= nowMs;
      this.#options.log.warn(
        { error },
        'offsets were not committed, what they cover may come again',
      );
      if (nowMs - this.#commitFailingSinceMs > this.#options.commitFailureLimitMs)
        this.#options.onFailure(
          new ConsumerError(
            'CONSUMER_STALLED',
            'offsets could not be committed for too long: check the group coordinator',
            { cause: error },
          ),
        );
      else if (!this.#epoch.ending.signal.aborted) this.#commitSoon();
    }
  }
}
