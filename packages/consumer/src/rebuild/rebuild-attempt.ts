import type { Clock, KafkaLog } from '@outbound/service-kit';
import type { StateStore, StorePositions } from '../stores/state-store.ts';
import type { ReadSummary } from '../topic-reader/read-summary.ts';
import type { KafkaRecord } from '@outbound/kafka';
import type { KnownTopic } from '../topic-reader/topic-ranges.ts';
import type { OvertakenRange, PartitionRange } from '../topic-reader/topic-record.ts';
import type { ReadTopic } from './read-topic.ts';
import type { ProgressCounter } from './rebuild-progress.ts';
import type { CaughtUp } from './rebuild-options.ts';
import { RecentVersions } from './recent-versions.ts';
import { recogniseById, recogniseByRecords } from './recognise-topic.ts';
import { hasMissed, resumePlan, type ResumePlan } from './resume-plan.ts';
import { stateEntry } from './state-entry.ts';
import { StoreWriter } from './store-writer.ts';
import { readTopicMark, topicMark } from './topic-mark.ts';

/** What an attempt needs, and whom it tells. */
export interface AttemptOptions {
  readonly read: ReadTopic;
  readonly clock: Clock;
  readonly topic: string;
  readonly versionPath: readonly string[];
  readonly store: StateStore;
  readonly follow: boolean;
  readonly tombstonesLiveMs: number;
  readonly signal: AbortSignal | undefined;
  readonly progress: ProgressCounter;
  readonly onBegin: (plan: ResumePlan) => void | Promise<void>;
  readonly onCaughtUp: (facts: CaughtUp) => void | Promise<void>;
  readonly log: KafkaLog | undefined;
}

/**
 * Thrown within an attempt, and out of it: deletions may have been missed, so the state that was read so far is worth
 * nothing.
 */
export class DeletionsMissed extends Error {
  /** What took them: compaction when they were old enough, or retention. */
  readonly takenBy: 'compaction' | 'retention';

  constructor(takenBy: 'compaction' | 'retention') {
    super(
      takenBy === 'compaction'
        ? 'the reader was behind for longer than the topic keeps deletions'
        : 'records were removed before they could be read, of keys that the store may have',
    );
    this.takenBy = takenBy;
  }
}

/**
 * One reading of the topic, from where the store is or from the beginning, as `resumePlan` says. It ends with an error
 * when it can no longer vouch for what it has read;
 * another attempt then looks at the store and the topic anew.
 */
export class RebuildAttempt {
  readonly #options: AttemptOptions;
  readonly #recent = new RecentVersions();
  readonly #writer: StoreWriter;
  /** Aborted when the store has failed: no more of what is read could be kept. */
  readonly #end = new AbortController();
  readonly #startedMs: number;
  readonly #startedAtMs: number;
  #positions: StorePositions = { partitions: new Map(), currentAtMs: 0 };
  #plan: ResumePlan | undefined;
  #topicId: string | undefined;
  /** Partitions that the store has something of. */
  readonly #stored = new Set<number>();
  /** Everything that the topic held at this time has been handed to the store; ms since 1970. */
  #currentAtMs = 0;
  #hasProgress = false;
  /** What the partitions held when it began: the ends to reach. One that is added later is not among them. */
  #ranges: readonly PartitionRange[] = [];

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.#writer = new StoreWriter(options.store, () => this.#end.abort());
    this.#startedMs = options.clock.nowMs();
    this.#startedAtMs = options.clock.wallMs();
  }

  get plan(): ResumePlan | undefined {
    return this.#plan;
  }

  /** True once records were taken. */
  get hasProgress(): boolean {
    return this.#hasProgress;
  }

  /** @throws DeletionsMissed; what `readTopics` and the store throw. Nothing of it is under way any more then. */
  async run(): Promise<ReadSummary> {
    const { read, store, follow, signal, tombstonesLiveMs } = this.#options;
    this.#positions = await store.positions();
    let summary: ReadSummary;
    try {
      summary = await read({
        ...knownOf(this.#options.topic, this.#positions),
        until: follow ? 'forever' : 'end',
        signal: signal ? AbortSignal.any([signal, this.#end.signal]) : this.#end.signal,
        // Well within the life of a tombstone, so that a quiet topic does not look like a pause.
        currentEveryMs: Math.min(30_000, tombstonesLiveMs / 10),
        onOpen: (ranges) => this.#open(ranges),
        from: ({ partition, low }) =>
          this.#plan?.from === 'positions'
            ? (this.#positions.partitions.get(partition)?.nextOffset ?? low)
            : low,
        onBatch: (records) => this.#take(records),
        onOvertaken: (gap) => this.#skip(gap),
        onCurrent: (atMs) => this.#confirm(atMs),
        onCaughtUp: (facts) => this.#caughtUp(facts),
      });
    } catch (thrown) {
      await this.#writer.discard();
      throw thrown;
    }
    await this.#writer.drain();
    return summary;
  }

  async #open(ranges: readonly PartitionRange[]): Promise<void> {
    const { store, progress, topic, tombstonesLiveMs, log } = this.#options;
    this.#ranges = ranges;
    const positions = [...this.#positions.partitions.values()];
    this.#topicId = ranges.find(({ topicId }) => topicId !== undefined)?.topicId;
    let recognition = recogniseById(positions, { topicId: this.#topicId, ranges });
    if (recognition === 'unproven' && positions.length > 0)
      recognition = await recogniseByRecords(this.#options.read, positions, this.#options.signal);
    // Then the records were not looked at, and nothing is read either.
    if (this.#options.signal?.aborted === true) return;
    this.#plan = resumePlan(this.#positions, {
      topic: recognition,
      ranges,
      tombstonesLiveMs,
      nowMs: this.#startedAtMs,
    });
    log?.info({ component: 'rebuild', topic, ...this.#plan }, 'rebuild begins');
    // Before the store is touched: whoever shows its state can say that it is a part from now on.
    await this.#options.onBegin(this.#plan);
    const goesOn = this.#plan.from === 'positions';
    if (!goesOn) await store.clear(this.#startedAtMs);
    else for (const { partition } of positions) this.#stored.add(partition);
    this.#currentAtMs =
      goesOn && hasMissed(this.#positions, ranges)
        ? this.#positions.currentAtMs
        : this.#startedAtMs;
    progress.begin(
      ranges,
      new Map(goesOn ? positions.map(({ partition, nextOffset }) => [partition, nextOffset]) : []),
    );
  }

  async #take(records: readonly KafkaRecord[]): Promise<void> {
    this.#requireCurrent();
    const last = records.at(-1);
    if (!last) return;
    const { versionPath, progress } = this.#options;
    const entries = [];
    for (const record of records) {
      const entry = stateEntry(record, versionPath);
      if (this.#recent.isNews(entry)) entries.push(entry);
    }
    this.#hasProgress = true;
    this.#stored.add(last.partition);
    await this.#writer.add(entries, {
      partition: last.partition,
      nextOffset: last.offset + 1n,
      mark: topicMark(last, this.#topicId),
    });
    progress.add(records, last);
  }

  /** Before anything of a partition was stored, nothing can be out of date: it only begins later. */
  #skip({ partition }: OvertakenRange): void {
    if (this.#stored.has(partition)) throw new DeletionsMissed('retention');
  }

  async #confirm(atMs: number): Promise<void> {
    this.#requireCurrent();
    await this.#writer.drain();
    await this.#options.store.confirm(atMs);
    this.#currentAtMs = Math.max(this.#currentAtMs, atMs);
  }

  async #caughtUp({ recordCount, byteCount }: ReadSummary): Promise<void> {
    const { store, progress, onCaughtUp, clock } = this.#options;
    await this.#confirm(this.#startedAtMs);
    await store.caughtUp();
    progress.end();
    await onCaughtUp({
      recordCount,
      byteCount,
      seconds: (clock.nowMs() - this.#startedMs) / 1000,
      began: this.#plan ?? { from: 'beginning', why: 'empty' },
      partitions: this.#ranges,
    });
  }

  /**
   * What is handed out now was read before now; so as long as the last moment that we vouch for is not further back
   * than tombstones live, none was removed
   * before we came to it. The wall clock counts: a monotonic one stands still while the machine sleeps.
   */
  #requireCurrent(): void {
    if (this.#options.clock.wallMs() - this.#currentAtMs >= this.#options.tombstonesLiveMs)
      throw new DeletionsMissed('compaction');
  }
}

/** What the store's positions say of the topic: partitions never become fewer. */
function knownOf(topic: string, { partitions }: StorePositions): { readonly known?: KnownTopic } {
  const positions = [...partitions.values()];
  const topicId = positions
    .map(({ mark }) => readTopicMark(mark)?.topicId)
    .find((id) => id !== undefined);
  // Without an id a topic that was made again with fewer partitions could not be told from a broker that is behind.
  if (topicId === undefined) return {};
  return { known: { topic, topicId, partitions: Math.max(...partitions.keys()) + 1 } };
}
