import {
  Fetcher,
  partitionKey,
  type FetchedRecords,
  type KafkaReads,
  type OutOfRange,
  type TopicChange,
  type TopicPartition,
} from '@outbound/kafka';
import type { Clock, KafkaLog } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import { isCaughtUp, isGood, openLane, recordsBelow, type Lane } from './lane.ts';
import type { ReadOptions } from './read-options.ts';
import type { ReadSummary } from './read-summary.ts';
import { lostEnd, refusal, topicVerdict } from './reading-verdicts.ts';
import { silence } from './silence.ts';
import { StepQueue } from './step-queue.ts';
import { topicRanges } from './topic-ranges.ts';
import type { PartitionRange } from './topic-record.ts';

/** Of one partition, one answer is worked on and one waits; more is not asked for, nor while this much waits in all. */
const answersPerLane = 2;
const waitingBytes = 4 * 1024 * 1024;

export interface ReadPorts {
  readonly kafka: Pick<KafkaReads, 'log'>;
  readonly clock: Clock;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
}

/** One call of `readTopics`: a fetcher reads ahead, and what came is handed out one batch at a time. */
export class TopicReading {
  readonly #ports: ReadPorts;
  readonly #options: ReadOptions & { readonly log: KafkaLog };
  readonly #lanes = new Map<string, Lane>();
  readonly #ranges: PartitionRange[];
  readonly #fetcher: Fetcher;
  /** Ends everything: with an error as its reason, or because all is done. */
  readonly #stop = new AbortController();
  readonly #steps = new StepQueue(this.#stop.signal);
  #waitingBytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #isHandingOut = false;
  #handedOutAtMs: number;
  #recordCount = 0;
  #byteCount = 0;
  #overtaken = 0n;
  #isCaughtUpTold = false;
  #currentToldAtMs: number;

  constructor(
    ports: ReadPorts,
    ranges: readonly PartitionRange[],
    options: ReadOptions & { readonly log: KafkaLog },
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#ranges = [...ranges];
    this.#handedOutAtMs = ports.clock.nowMs();
    this.#currentToldAtMs = ports.clock.wallMs();
    this.#fetcher = new Fetcher({
      log: ports.kafka.log,
      clock: ports.clock,
      random: ports.random,
      logger: options.log,
      onRecords: (fetched) => this.#take(fetched),
      onOutOfRange: (partition, range) => this.#followRetention(partition, range),
      onTopicChanged: (topic, change) => this.#followTopic(topic, change),
      onWaiting: (partition, why) => {
        const lane = this.#lanes.get(partitionKey(partition));
        if (lane) lane.trouble = why;
      },
      onFailed: (error) => this.#thenFail(refusal(error)),
    });
    for (const range of ranges) {
      const from = options.from ? options.from(range) : range.low;
      if (from === undefined) continue;
      try {
        const { lane, overtaken } = openLane(range, from, this.#handedOutAtMs);
        this.#lanes.set(partitionKey(range), lane);
        if (overtaken > 0n) this.#tellOvertaken(lane, overtaken);
      } catch (cause) {
        throw new ConsumerError('POSITION_UNKNOWN', (cause as Error).message, { cause });
      }
    }
  }

  async run(): Promise<ReadSummary> {
    const { signal } = this.#options;
    if (signal?.aborted === true) return this.#summary();
    const end = () => this.#end();
    signal?.addEventListener('abort', end, { once: true });
    const parts = [this.#handOut(), this.#fetch(), this.#watch()].map((part) =>
      part.catch((error: unknown) => this.#fail(error)),
    );
    await Promise.all(parts);
    signal?.removeEventListener('abort', end);
    if (this.#failure) throw this.#failure.error;
    return this.#summary();
  }

  async #fetch(): Promise<void> {
    this.#assign([...this.#lanes.values()].filter((lane) => !this.#isRead(lane, lane.doneOffset)));
    await this.#fetcher.run(this.#stop.signal);
  }

  #assign(lanes: readonly Lane[]): void {
    const counts = new Map<string, number>();
    for (const { topic } of this.#ranges) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    this.#fetcher.assign(
      lanes.map(({ topic, topicId, partition, doneOffset: offset }) => ({
        topic,
        topicId,
        partitions: counts.get(topic),
        partition,
        offset,
      })),
    );
  }

  #isRead(lane: Lane, offset: bigint): boolean {
    return this.#options.until === 'end' && offset >= lane.end;
  }

  #take(fetched: FetchedRecords): void {
    const lane = this.#lanes.get(partitionKey(fetched));
    if (!lane) return;
    const { next, byteCount } = fetched;
    if (isGood(fetched, lane)) lane.goodAtMs = this.#ports.clock.nowMs();
    lane.trouble = undefined;
    lane.highWatermark = fetched.highWatermark;
    lane.lastStableOffset = fetched.lastStableOffset;
    if (this.#isRead(lane, next)) this.#fetcher.revoke([lane]);
    lane.waiting += 1;
    this.#waitingBytes += byteCount;
    if (lane.waiting >= answersPerLane || this.#waitingBytes >= waitingBytes)
      this.#fetcher.pause([lane]);
    this.#steps.then(async () => {
      await this.#handOutOne(lane, fetched);
      lane.waiting -= 1;
      this.#waitingBytes -= byteCount;
      this.#resume();
    });
  }

  #resume(): void {
    if (this.#waitingBytes >= waitingBytes) return;
    this.#fetcher.resume(
      [...this.#lanes.values()].filter(({ waiting }) => waiting < answersPerLane),
    );
  }

  async #handOut(): Promise<void> {
    // What is empty has been read to its end.
    await this.#tellIfCaughtUp();
    await this.#steps.run(async () => {
      await this.#tellIfCaughtUp();
      await this.#tellIfCurrent();
    });
  }

  /** Runs a function of the caller's, which may take as long as it likes: brokers are not silent meanwhile. */
  async #call(work: () => void | Promise<void>): Promise<void> {
    this.#isHandingOut = true;
    await work();
    this.#isHandingOut = false;
    this.#handedOutAtMs = this.#ports.clock.nowMs();
  }

  async #handOutOne(lane: Lane, fetched: FetchedRecords): Promise<void> {
    const { until, onBatch } = this.#options;
    const { records, next, highWatermark, askedAtMs } = fetched;
    const wanted = until === 'end' ? recordsBelow(records, lane.end) : records;
    if (wanted.length > 0) await this.#call(() => onBatch(wanted));
    this.#recordCount += wanted.length;
    for (const { key, value } of wanted)
      this.#byteCount += (key?.length ?? 0) + (value?.length ?? 0);
    // Not at the last stable offset: committed records may lie behind an open transaction.
    if (next >= highWatermark) lane.currentAtMs = askedAtMs;
    lane.doneOffset = until === 'end' && next > lane.end ? lane.end : next;
  }

  async #tellIfCaughtUp(): Promise<void> {
    if (this.#isCaughtUpTold || this.#stop.signal.aborted) return;
    for (const lane of this.#lanes.values()) if (!isCaughtUp(lane)) return;
    this.#isCaughtUpTold = true;
    await this.#call(() => this.#options.onCaughtUp?.(this.#summary()));
    if (this.#options.until === 'end') this.#end();
  }

  async #tellIfCurrent(): Promise<void> {
    const { onCurrent, currentEveryMs = 30_000 } = this.#options;
    if (!onCurrent || !this.#isCaughtUpTold || this.#stop.signal.aborted) return;
    let atMs = this.#ports.clock.wallMs();
    for (const lane of this.#lanes.values()) atMs = Math.min(atMs, lane.currentAtMs);
    if (atMs - this.#currentToldAtMs < currentEveryMs) return;
    this.#currentToldAtMs = atMs;
    await this.#call(() => onCurrent(atMs));
  }

  #followRetention(partition: TopicPartition, { position, logStart, end }: OutOfRange): void {
    const lane = this.#lanes.get(partitionKey(partition));
    if (!lane) return;
    if (position > end) return this.#thenFail(lostEnd(lane, end, position));
    lane.goodAtMs = this.#ports.clock.nowMs();
    if (this.#isRead(lane, logStart)) this.#fetcher.revoke([lane]);
    else this.#fetcher.seek({ ...partition, offset: logStart });
    this.#steps.then(async () => {
      this.#tellOvertaken(lane, logStart - position);
      const gap = { topic: lane.topic, partition: lane.partition, from: position, to: logStart };
      await this.#call(() => this.#options.onOvertaken?.(gap));
      lane.doneOffset = this.#isRead(lane, logStart) ? lane.end : logStart;
    });
  }

  #tellOvertaken(lane: Lane, count: bigint): void {
    this.#overtaken += count;
    this.#options.log.warn(
      { component: 'topic-reader', partition: partitionKey(lane), offsets: Number(count) },
      'retention removed records before they could be read',
    );
  }

  #followTopic(topic: string, change: TopicChange): void {
    const verdict = topicVerdict(topic, change);
    if (verdict) this.#thenFail(verdict);
    else if (change.kind === 'grown' && this.#options.until === 'forever')
      this.#steps.then(() => this.#grow(topic, change.partitions));
  }

  /** Nothing of an added partition was there when reading began: it is read from its beginning, and changes nothing of having caught up. */
  async #grow(topic: string, partitions: number): Promise<void> {
    const { onGrown, from, log } = this.#options;
    const { kafka, clock } = this.#ports;
    const known = new Set(this.#ranges.map(partitionKey));
    const topicId = this.#ranges.find((range) => range.topic === topic)?.topicId;
    const now = await topicRanges(kafka.log, [topic], clock, { topic, topicId, partitions });
    const added = now.filter((range) => !known.has(partitionKey(range)));
    if (added.length === 0) return;
    log.info(
      { component: 'topic-reader', topic, partitions: added.map(({ partition }) => partition) },
      'partitions were added, and are read from their beginning',
    );
    this.#ranges.push(...added);
    await this.#call(() => onGrown?.(added));
    const lanes = added
      .filter((range) => !from || from(range) !== undefined)
      .map((range) => openLane({ ...range, high: range.low }, range.low, clock.nowMs()).lane);
    for (const lane of lanes) this.#lanes.set(partitionKey(lane), lane);
    this.#assign(lanes);
  }

  async #watch(): Promise<void> {
    const { silenceMs = 30_000 } = this.#options;
    const { clock } = this.#ports;
    while (!this.#stop.signal.aborted) {
      await clock.sleep(Math.min(1000, silenceMs / 4), this.#stop.signal);
      if (this.#isHandingOut || this.#stop.signal.aborted) continue;
      const sinceMs = clock.nowMs() - silenceMs;
      const silent = [...this.#lanes.values()].filter(
        (lane) =>
          !this.#isRead(lane, lane.doneOffset) &&
          Math.max(lane.goodAtMs, this.#handedOutAtMs) < sinceMs,
      );
      if (silent.length > 0) throw silence(silent, silenceMs);
    }
  }

  #thenFail(error: Error): void {
    this.#steps.then(() => Promise.reject(error));
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#end();
  }

  #end(): void {
    this.#stop.abort();
  }

  #summary(): ReadSummary {
    const lanes = [...this.#lanes.values()];
    return {
      recordCount: this.#recordCount,
      byteCount: this.#byteCount,
      partitions: this.#ranges,
      positions: new Map(lanes.map((lane) => [partitionKey(lane), lane.doneOffset])),
      isWhole: lanes.every(({ low }) => low === 0n),
      overtaken: this.#overtaken,
      isCaughtUp: this.#isCaughtUpTold,
    };
  }
}
