import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaLog } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import type { FetchedPartition } from './fetch-answer.ts';
import { isCaughtUp, openLane, recordsBelow, type Lane } from './lane.ts';
import type { ReadSummary, ReadTopicsOptions } from './read-topics.ts';
import { decodeRecordSet } from './record-set.ts';
import type { TopicCluster } from './topic-cluster.ts';
import { partitionKey, type PartitionRange, type TopicRecord } from './topic-record.ts';

const offsetOutOfRange = 1;
/** How long after a failure the leaders are asked for again. */
const pauseMs = 200;

interface Decoded {
  readonly lane: Lane;
  readonly records: readonly TopicRecord[];
  readonly nextOffset: bigint;
  /** When it was asked for, ms since 1970, if the answer reached the partition's end. */
  readonly endAtMs: number | undefined;
}

/** One call of `readTopics`: a loop per leader fetches ahead by one answer, and what came is handed out one batch at a time. */
export class TopicReading {
  readonly #cluster: TopicCluster;
  readonly #options: ReadTopicsOptions & { readonly log: KafkaLog };
  readonly #lanes = new Map<string, Lane>();
  readonly #ranges: readonly PartitionRange[];
  /** Ends every loop: with an error as its reason, or because all is done. */
  readonly #stop = new AbortController();
  readonly #loops = new Map<number, Promise<void>>();
  #turn: Promise<void> = Promise.resolve();
  #refreshing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isHandingOut = false;
  #handedOutAtMs = performance.now();
  #recordCount = 0;
  #byteCount = 0;
  #overtaken = 0n;
  #isCaughtUpTold = false;
  #currentToldAtMs = Date.now();

  constructor(
    cluster: TopicCluster,
    ranges: readonly PartitionRange[],
    options: ReadTopicsOptions & { readonly log: KafkaLog },
  ) {
    this.#cluster = cluster;
    this.#ranges = ranges;
    this.#options = options;
    for (const range of ranges) {
      const from = options.from ? options.from(range) : range.low;
      if (from === undefined) continue;
      try {
        const { lane, overtaken } = openLane(range, from, performance.now());
        this.#lanes.set(partitionKey(range), lane);
        if (overtaken > 0n) this.#tellOvertaken(lane, overtaken);
      } catch (cause) {
        throw new ConsumerError('POSITION_UNKNOWN', (cause as Error).message, { cause });
      }
    }
  }

  async run(): Promise<ReadSummary> {
    const { signal, silenceMs = 30_000 } = this.#options;
    const end = () => this.#stop.abort();
    if (signal?.aborted === true) return this.#summary();
    signal?.addEventListener('abort', end, { once: true });
    const watch = setInterval(() => this.#endIfSilent(silenceMs), Math.min(1000, silenceMs / 4));
    try {
      // What is empty has been read to its end.
      await this.#tellIfCaughtUp();
      this.#startLoops();
      // A loop may start others when leaders move.
      while (this.#loops.size > 0) await Promise.all(this.#loops.values());
    } finally {
      clearInterval(watch);
      signal?.removeEventListener('abort', end);
    }
    if (this.#failure) throw this.#failure.error;
    return this.#summary();
  }

  #startLoops(): void {
    if (this.#stop.signal.aborted) return;
    for (const lane of this.#lanes.values()) {
      if (this.#isDone(lane)) continue;
      const leader = this.#cluster.leaderOf(lane);
      if (this.#loops.has(leader)) continue;
      this.#loops.set(
        leader,
        this.#readFrom(leader)
          .catch((error: unknown) => this.#fail(error))
          .finally(() => this.#loops.delete(leader)),
      );
    }
  }

  #isDone(lane: Lane): boolean {
    return this.#options.until === 'end' && lane.fetchOffset >= lane.end;
  }

  /** Reads what this broker leads, until it leads nothing more that is wanted, or all ends. */
  async #readFrom(nodeId: number): Promise<void> {
    let handedOut: Promise<void> = Promise.resolve();
    while (!this.#stop.signal.aborted) {
      const led = [...this.#lanes.values()].filter(
        (lane) => !this.#isDone(lane) && this.#cluster.leaderOf(lane) === nodeId,
      );
      if (led.length === 0) break;
      // After a move the old leader's answer may still be on its way: two at once would mix up the order.
      const lanes = led.filter(({ isAsked }) => !isAsked);
      for (const lane of lanes) lane.isAsked = true;
      const decoded = await this.#fetch(nodeId, lanes);
      // One answer is worked on while the next is on its way, and no more: what is in memory stays bounded.
      await handedOut;
      handedOut = this.#handOut(decoded);
      for (const lane of lanes) lane.isAsked = false;
    }
    await handedOut;
    if (!this.#stop.signal.aborted) this.#startLoops();
  }

  async #fetch(nodeId: number, lanes: readonly Lane[]): Promise<Decoded[]> {
    let partitions: readonly FetchedPartition[];
    const askedAtMs = Date.now();
    try {
      if (lanes.length === 0) {
        await delay(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
        return [];
      }
      if (nodeId < 0) throw new Error('a partition has no leader now');
      const answer = await this.#unlessStopped(
        this.#cluster.fetch(
          nodeId,
          lanes.map(({ topic, partition, fetchOffset: offset }) => ({ topic, partition, offset })),
        ),
      );
      if (!answer) return [];
      ({ partitions } = answer);
    } catch (thrown) {
      await this.#findLeadersAgain(String(thrown));
      return [];
    }
    const decoded: Decoded[] = [];
    let failedCode: number | undefined;
    for (const fetched of partitions) {
      const lane = this.#lanes.get(partitionKey(fetched));
      if (!lane) continue;
      if (fetched.errorCode === offsetOutOfRange) decoded.push(await this.#followRetention(lane));
      else if (fetched.errorCode !== 0) {
        refuseIfFinal(fetched);
        failedCode = fetched.errorCode;
      } else {
        const { records, nextOffset } = await decodeRecordSet(fetched, lane.fetchOffset);
        const isAtEnd = nextOffset >= fetched.lastStableOffset;
        const isFurther = nextOffset > lane.fetchOffset;
        if (isFurther || isAtEnd) {
          lane.goodAtMs = performance.now();
          decoded.push({ lane, records, nextOffset, endAtMs: isAtEnd ? askedAtMs : undefined });
        }
        lane.fetchOffset = nextOffset;
      }
    }
    if (failedCode !== undefined) await this.#findLeadersAgain(protocolError(failedCode).message);
    return decoded;
  }

  /** The outcome, or undefined as soon as reading ends: an answer may take as long as the broker likes. */
  async #unlessStopped<Outcome>(work: Promise<Outcome>): Promise<Outcome | undefined> {
    const { signal } = this.#stop;
    if (signal.aborted) {
      work.catch(() => undefined);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const stopped = () => resolve(undefined);
      signal.addEventListener('abort', stopped, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stopped));
    });
  }

  /** Loops that fail at the same time share one question. */
  async #findLeadersAgain(why: string): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#options.log.warn(
      { component: 'topic-reader', error: why },
      'reading failed, trying again',
    );
    this.#refreshing ??= (async () => {
      await delay(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      await this.#unlessStopped(this.#cluster.refresh()).catch((error: unknown) =>
        this.#options.log.warn(
          { component: 'topic-reader', error: String(error) },
          'asking for the leaders failed, trying again',
        ),
      );
    })().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
    this.#startLoops();
  }

  async #followRetention(lane: Lane): Promise<Decoded> {
    const ranges = await this.#cluster.ranges();
    const range = ranges.find((each) => partitionKey(each) === partitionKey(lane));
    if (!range || lane.fetchOffset > range.high)
      throw new ConsumerError(
        'POSITION_UNKNOWN',
        `${partitionKey(lane)} ends at offset ${range?.high ?? 0n}, and was read up to ${lane.fetchOffset}: the topic was made anew or has lost its end, so begin again from nothing`,
      );
    if (range.low > lane.fetchOffset) {
      this.#tellOvertaken(lane, range.low - lane.fetchOffset);
      lane.fetchOffset = range.low;
      lane.goodAtMs = performance.now();
    }
    return { lane, records: [], nextOffset: lane.fetchOffset, endAtMs: undefined };
  }

  #tellOvertaken(lane: Lane, count: bigint): void {
    this.#overtaken += count;
    this.#options.log.warn(
      { component: 'topic-reader', partition: partitionKey(lane), offsets: Number(count) },
      'retention removed records before they could be read',
    );
  }

  /** Never rejects: a failure of the caller's ends the reading. */
  async #handOut(batches: readonly Decoded[]): Promise<void> {
    // An answer without anything must not pass for a sign of life.
    if (batches.length === 0) return;
    this.#turn = this.#turn.then(async () => {
      this.#isHandingOut = true;
      try {
        for (const batch of batches) await this.#handOutOne(batch);
        await this.#tellIfCaughtUp();
        await this.#tellIfCurrent();
      } catch (error) {
        this.#fail(error);
      } finally {
        this.#isHandingOut = false;
        this.#handedOutAtMs = performance.now();
      }
    });
    await this.#turn;
  }

  async #handOutOne({ lane, records, nextOffset, endAtMs }: Decoded): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { until, onBatch } = this.#options;
    const wanted = until === 'end' ? recordsBelow(records, lane.end) : records;
    if (wanted.length > 0) await onBatch(wanted);
    this.#recordCount += wanted.length;
    for (const { key, value } of wanted)
      this.#byteCount += (key?.length ?? 0) + (value?.length ?? 0);
    if (endAtMs !== undefined) lane.endAtMs = endAtMs;
    lane.doneOffset = until === 'end' && nextOffset > lane.end ? lane.end : nextOffset;
    await this.#tellIfCaughtUp();
  }

  async #tellIfCaughtUp(): Promise<void> {
    if (this.#isCaughtUpTold || this.#stop.signal.aborted) return;
    for (const lane of this.#lanes.values()) if (!isCaughtUp(lane)) return;
    this.#isCaughtUpTold = true;
    await this.#options.onCaughtUp?.(this.#summary());
    if (this.#options.until === 'end') this.#stop.abort();
  }

  async #tellIfCurrent(): Promise<void> {
    const { onCurrent, currentEveryMs = 30_000 } = this.#options;
    if (!onCurrent || !this.#isCaughtUpTold || this.#stop.signal.aborted) return;
    let atMs = Date.now();
    for (const lane of this.#lanes.values()) atMs = Math.min(atMs, lane.endAtMs);
    if (atMs - this.#currentToldAtMs < currentEveryMs) return;
    this.#currentToldAtMs = atMs;
    await onCurrent(atMs);
  }

  #endIfSilent(silenceMs: number): void {
    if (this.#isHandingOut) return;
    const now = performance.now();
    const silent = [...this.#lanes.values()].filter(
      (lane) =>
        !this.#isDone(lane) && now - Math.max(lane.goodAtMs, this.#handedOutAtMs) > silenceMs,
    );
    if (silent.length > 0)
      this.#fail(
        new ConsumerError(
          'READER_STALLED',
          `for ${silenceMs} ms no broker gave more of ${silent.map((lane) => `${partitionKey(lane)} (at offset ${lane.doneOffset} of ${lane.end})`).join(', ')}: check that its leader is up, and the warnings before this`,
        ),
      );
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
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

interface ProtocolError extends Error {
  readonly type: string;
  readonly retriable: boolean;
}

function protocolError(code: number): ProtocolError {
  const load: (path: string) => unknown = createRequire(import.meta.url);
  const { createErrorFromCode } = load('kafkajs/src/protocol/error') as {
    readonly createErrorFromCode: (code: number) => ProtocolError;
  };
  return createErrorFromCode(code);
}

function refuseIfFinal(fetched: FetchedPartition): void {
  const error = protocolError(fetched.errorCode);
  if (error.retriable) return;
  throw new ConsumerError(
    'READ_REFUSED',
    `reading ${partitionKey(fetched)} was refused: ${error.message} (${error.type})`,
    { cause: error },
  );
}
