import { KafkaError, type TopicPartition } from '@outbound/kafka';
import type { Clock, KafkaLog } from '@outbound/service-kit';
import type { PartitionWork } from './partition-work.ts';
import { WaitNotice } from './wait-notice.ts';
import { within } from './within.ts';

/** Next record to read. */
export interface CommitPosition extends TopicPartition {
  readonly offset: bigint;
}

/** Commits in the present generation; rejects with what is in the way. With `mayLower` also below what the group has. */
export type SendCommit = (positions: readonly CommitPosition[], mayLower: boolean) => Promise<void>;

/** Between two tries of a commit that somebody waits for. */
const retryMs = 200;

/**
 * Commits how far the partitions are finished: a while after something was, and at once where a partition is about to go. One commit at a
 * time, so that none overtakes another. One that fails is made again with what is finished by then, for as long as the partition is ours: a
 * coordinator that is away comes back.
 */
export class Committer {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #send: SendCommit;
  readonly #isOurs: (work: PartitionWork) => boolean;
  readonly #ours: () => Iterable<PartitionWork>;
  readonly #onRefused: (error: KafkaError) => void;
  readonly #over: AbortSignal;
  readonly #log: KafkaLog;
  readonly #notice = new WaitNotice();
  #isPlanned = false;
  #last: Promise<void> = Promise.resolve();
  #commits = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly intervalMs: number;
    readonly send: SendCommit;
    readonly isOurs: (work: PartitionWork) => boolean;
    readonly ours: () => Iterable<PartitionWork>;
    /** Kafka refuses a commit for good. */
    readonly onRefused: (error: KafkaError) => void;
    /** Ends the commits from time to time. */
    readonly over: AbortSignal;
    readonly log: KafkaLog;
  }) {
    this.#clock = options.clock;
    this.#intervalMs = options.intervalMs;
    this.#send = options.send;
    this.#isOurs = options.isOurs;
    this.#ours = options.ours;
    this.#onRefused = options.onRefused;
    this.#over = options.over;
    this.#log = options.log;
  }

  /** Commits that Kafka has taken, since the start. */
  get commits(): number {
    return this.#commits;
  }

  /** Something was finished: it is committed within the interval. */
  soon(): void {
    if (this.#isPlanned || this.#over.aborted) return;
    this.#isPlanned = true;
    // Neither a sleep nor #commit ever rejects.
    this.#later().catch(() => undefined);
  }

  /** Commits what is finished of these, and tries until `limitMs`. Never rejects: what is not committed comes again. */
  async now(works: readonly PartitionWork[], limitMs: number): Promise<void> {
    const untilMs = this.#clock.nowMs() + limitMs;
    while (works.some((each) => this.#isOurs(each) && each.toCommit !== undefined)) {
      const leftMs = untilMs - this.#clock.nowMs();
      if (leftMs <= 0) return;
      const isInTime = await within(this.#clock, leftMs, this.#commit(works));
      if (isInTime && works.some((each) => this.#isOurs(each) && each.toCommit !== undefined))
        await this.#clock.sleep(Math.min(retryMs, leftMs));
    }
  }

  async #later(): Promise<void> {
    await this.#clock.sleep(this.#intervalMs, this.#over);
    this.#isPlanned = false;
    if (this.#over.aborted) return;
    await this.#commit([...this.#ours()]);
    for (const work of this.#ours())
      if (work.toCommit !== undefined) {
        this.soon();
        return;
      }
  }

  async #commit(works: readonly PartitionWork[]): Promise<void> {
    this.#last = this.#last.then(() => this.#commitOnce(works));
    await this.#last;
  }

  async #commitOnce(works: readonly PartitionWork[]): Promise<void> {
    const changed: { readonly work: PartitionWork; readonly position: CommitPosition }[] = [];
    for (const work of works) {
      const { topic, partition, toCommit: offset } = work;
      if (offset !== undefined && this.#isOurs(work))
        changed.push({ work, position: { topic, partition, offset } });
    }
    if (changed.length === 0) return;
    try {
      await this.#send(
        changed.map(({ position }) => position),
        changed.some(({ work }) => work.mayLower),
      );
      for (const { work, position } of changed) {
        work.committed = position.offset;
        work.mayLower = false;
      }
      this.#commits += 1;
      this.#notice.over(this.#clock.nowMs());
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'KAFKA_REJECTED') this.#onRefused(error);
      const durationMs = this.#notice.due(this.#clock.nowMs());
      if (durationMs !== undefined)
        this.#log.warn(
          { durationMs, error },
          'offsets are not committed, it is tried again; after a crash what they cover comes again',
        );
    }
  }
}
