import { KafkaError } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { FetchedPartition } from '../ports/topic-log.ts';
import { answerOf } from './answer-of.ts';
import { AnswerReader, type DecodedRecords } from './answer-reader.ts';
import { askRange } from './ask-range.ts';
import { codeName, isPassing, offsetOutOfRange, verdictOf } from './fetch-codes.ts';
import { askingOrder, FetchLane, type Ask, type OpenAnswer } from './fetch-lane.ts';
import { FetchLanes } from './fetch-lanes.ts';
import { defaultFetchLimits, type FetcherOptions, type FetchLimits } from './fetcher-options.ts';
import { ownBytes } from './own-bytes.ts';
import { QuotaWait } from './quota-wait.ts';
import { TopicLook } from './topic-look.ts';

/**
 * While a partition that was just paused may be resumed at any moment, its broker is not made to wait long for the
 * others.
 */
const shortWaitMs = 25;
const justPausedMs = 5000;
const tickMs = 500;

/** Where reading of a partition begins. */
export interface FetchStart extends TopicPartition {
  readonly offset: bigint;
  /** Of the topic that the offset is of, where that is known: `made-again` is told if the name has gone to another. */
  readonly topicId?: string | undefined;
  /** How many partitions the owner knows of: `grown` is told if there are more. */
  readonly partitions?: number | undefined;
}

/**
 * Reads partitions from their leaders, committed records only, from positions that nobody else moves: a position
 * advances by what was handed out, and by nothing else. An answer is taken only if the partition's life is the one
 * that asked: what was assigned anew, sought or revoked meanwhile never gets an old one. One fetch is out for each
 * broker, over everything that it leads; the next one goes out as soon as its answer has been handed out. Leaders
 * that move are found by themselves; whether anything comes at all is for the owner to watch.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #limits: FetchLimits;
  readonly #lanes: FetchLanes;
  readonly #topics: TopicLook;
  /** The fetch that is out, by node id. */
  readonly #asks = new Map<number, Ask>();
  readonly #quota = new QuotaWait();
  readonly #tasks = new Set<Promise<void>>();
  /** Aborted by the signal of the run, or by what was thrown into it. */
  readonly #end = new AbortController();
  #failure: { readonly error: unknown } | undefined;
  #isRunning = false;
  #isPumpDue = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#limits = { ...defaultFetchLimits, ...options.limits };
    this.#lanes = new FetchLanes(options);
    this.#topics = new TopicLook(options, this.#limits, this.#lanes);
  }

  /** Gives each of these partitions a new life at its offset; others are left as they are. */
  assign(starts: readonly FetchStart[]): void {
    for (const start of starts) {
      const lane = new FetchLane(start);
      this.#lanes.begin(lane);
      this.#topics.add(lane, start);
    }
    this.#pumpSoon();
  }

  /** Ends the lives of these partitions; whatever is out for them is never taken. */
  revoke(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#lanes.end(partition);
    this.#topics.forget();
  }

  /** A new life at this position of the same topic; a paused partition stays so. Nothing if it is not assigned. */
  seek(at: TopicPartition & { readonly offset: bigint }): void {
    const before = this.#lanes.get(at);
    if (!before) return;
    this.assign([{ ...at, topicId: before.topicId }]);
    const lane = this.#lanes.get(at);
    if (lane) lane.pausedAtMs = before.pausedAtMs;
  }

  /**
   * Nothing more is handed out of these partitions until they are resumed; what is on its way is asked for again
   * then.
   */
  pause(partitions: readonly TopicPartition[]): void {
    const nowMs = this.#options.clock.nowMs();
    for (const partition of partitions) {
      const lane = this.#lanes.get(partition);
      if (lane) lane.pausedAtMs ??= nowMs;
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const lane = this.#lanes.get(partition);
      if (lane) lane.pausedAtMs = undefined;
    }
    this.#pumpSoon();
  }

  /** Where the next fetch of it begins: everything below has been handed out. Undefined if it is not assigned. */
  position(partition: TopicPartition): bigint | undefined {
    return this.#lanes.get(partition)?.position;
  }

  /**
   * Reads until the signal aborts; to be called once. Resolves soon then, whatever is still out, and nothing is
   * handed out any more.
   * @throws what one of the owner's functions threw
   */
  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const end = () => this.#end.abort();
    signal.addEventListener('abort', end, { once: true });
    this.#isRunning = true;
    try {
      this.#pumpSoon();
      while (!this.#end.signal.aborted) {
        await this.#options.clock.sleep(tickMs, this.#end.signal);
        if (this.#topics.isDue || this.#isSlow()) this.#look();
      }
      await Promise.all(this.#tasks);
    } finally {
      this.#isRunning = false;
      signal.removeEventListener('abort', end);
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** After everything that the owner does in this turn, so that one request covers it. */
  #pumpSoon(): void {
    if (!this.#isRunning || this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  /** Sends whatever can be sent now. */
  #pump(): void {
    if (this.#end.signal.aborted) return;
    const wanted = new Map<number, FetchLane[]>();
    for (const lane of this.#lanes.all()) {
      if (lane.open && lane.pausedAtMs === undefined) this.#start(this.#goOn(lane, lane.open));
      if (lane.open || lane.isStill || lane.ask || lane.isLost) continue;
      if (lane.isOutOfRange)
        this.#start(
          askRange(lane, this.#lanes, this.#options, this.#limits, this.#end.signal).then(() =>
            this.#pumpSoon(),
          ),
        );
      else if (lane.pausedAtMs === undefined && !this.#asks.has(lane.leader)) {
        const lanes = wanted.get(lane.leader);
        if (lanes) lanes.push(lane);
        else wanted.set(lane.leader, [lane]);
      }
    }
    for (const [nodeId, lanes] of wanted) this.#start(this.#fetch(nodeId, lanes));
    if (this.#lanes.waiting().length > 0) this.#look();
  }

  #look(): void {
    this.#start(this.#topics.look(this.#end.signal, () => this.#pump()));
  }

  #start(task: Promise<void>): void {
    const tracked = task
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#end.abort();
      })
      .finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }

  /** In a turn of its own, so that whatever the owner throws ends the run. */
  async #goOn(lane: FetchLane, open: OpenAnswer): Promise<void> {
    await Promise.resolve();
    const isOver = this.#end.signal.aborted || this.#lanes.get(lane) !== lane || lane.open !== open;
    if (isOver || lane.isStill || lane.pausedAtMs !== undefined) return;
    this.#handOut(lane, open);
    this.#pumpSoon();
  }

  async #fetch(nodeId: number, lanes: readonly FetchLane[]): Promise<void> {
    const { log, clock, random, onFailed } = this.#options;
    const { maxBytes, maxBytesPerPartition, maxWaitMs } = this.#limits;
    const ask: Ask = { nodeId, sentAtMs: clock.nowMs() };
    const askedAtMs = clock.wallMs();
    const asked = askingOrder(lanes, random);
    const positions = asked.map((lane) => {
      const { topic, topicId, partition, position: offset, leaderEpoch } = lane;
      return { topic, topicId, partition, offset, leaderEpoch };
    });
    for (const lane of asked) lane.ask = ask;
    this.#asks.set(nodeId, ask);
    const isShort = this.#lanes.werePausedSince(nodeId, ask.sentAtMs - justPausedMs);
    const waitMs = isShort ? Math.min(shortWaitMs, maxWaitMs) : maxWaitMs;
    const answer = await answerOf(
      log.fetch(nodeId, {
        positions,
        maxWaitMs: waitMs,
        minBytes: 1,
        maxBytes,
        maxBytesPerPartition,
      }),
      this.#end.signal,
    );
    this.#asks.delete(nodeId);
    if (!answer) return;
    if (answer instanceof KafkaError) {
      if (!isPassing(answer)) onFailed(answer, undefined);
      this.#loseAll(asked, ask, answer.message);
    } else this.#takeAll(asked, ask, answer, askedAtMs);
    this.#tellOfQuota(nodeId, asked, !(answer instanceof KafkaError) && answer.length === 0);
    for (const lane of asked) if (lane.ask === ask) lane.ask = undefined;
    this.#pumpSoon();
  }

  #tellOfQuota(nodeId: number, asked: readonly FetchLane[], isHeldBack: boolean): void {
    if (!isHeldBack) return this.#quota.end(nodeId);
    const why = this.#quota.begin(nodeId, this.#options.clock.nowMs());
    if (why !== undefined) for (const lane of asked) this.#options.onWaiting?.(lane, why);
  }

  #loseAll(asked: readonly FetchLane[], ask: Ask, why: string): void {
    for (const lane of asked) if (this.#lanes.isWaitingFor(lane, ask)) this.#lanes.lose(lane, why);
  }

  #takeAll(
    asked: readonly FetchLane[],
    ask: Ask,
    answers: readonly FetchedPartition[],
    askedAtMs: number,
  ): void {
    const byKey = new Map(answers.map((answer) => [partitionKey(answer), answer]));
    for (const lane of asked) {
      const answer = byKey.get(lane.key);
      // Any of the owner's functions may have ended the life of the next one, or the run.
      if (!answer || this.#end.signal.aborted || !this.#lanes.isWaitingFor(lane, ask)) continue;
      if (lane.pausedAtMs !== undefined || lane.isStill) continue;
      if (answer.errorCode === 0) this.#take(lane, answer, askedAtMs, lane === asked[0]);
      else this.#takeError(lane, answer.errorCode);
    }
  }

  #takeError(lane: FetchLane, errorCode: number): void {
    if (errorCode === offsetOutOfRange) {
      lane.isOutOfRange = true;
      lane.outOfRangeSinceMs ??= this.#options.clock.nowMs();
    }
    const verdict = verdictOf(lane, errorCode);
    if (verdict) this.#lanes.refuse(lane, verdict);
    else this.#lanes.lose(lane, codeName(errorCode));
  }

  #take(lane: FetchLane, answer: FetchedPartition, askedAtMs: number, wasFirst: boolean): void {
    const { position: from } = lane;
    const { highWatermark, lastStableOffset } = answer;
    const recordSet = ownBytes(answer.recordSet);
    const reader = new AnswerReader({ ...answer, recordSet }, from);
    const isStarved = reader.isDone && from < lastStableOffset;
    lane.starved = isStarved ? lane.starved + 1 : 0;
    // The first one of a request gets what there is, whatever its size: this broker does not have it.
    if (isStarved && wasFirst)
      this.#lanes.lose(lane, `nothing came from ${from} on, and the end is ${lastStableOffset}`);
    else lane.good();
    const open = { reader, highWatermark, lastStableOffset, askedAtMs };
    this.#handOut(lane, open, recordSet.byteLength);
  }

  /**
   * Hands out the next part of an answer; the owner may pause before the one after it. `keptBytes`: what its records
   * keep in memory at least.
   */
  #handOut(lane: FetchLane, open: OpenAnswer, keptBytes = 0): void {
    const { topic, partition, position: from } = lane;
    const { reader, ...facts } = open;
    lane.open = undefined;
    let decoded: DecodedRecords;
    try {
      decoded = reader.read(this.#limits.maxDecodedBytes);
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      this.#lanes.refuse(lane, error);
      return;
    }
    const { records, next } = decoded;
    // What was not compressed is a view of all that came, left out batches included.
    const byteCount = records.length === 0 ? 0 : Math.max(decoded.byteCount, keptBytes);
    lane.position = next;
    if (!reader.isDone) lane.open = open;
    this.#options.onRecords({ topic, partition, records, from, next, byteCount, ...facts });
  }

  /** A broker is silent for too long to be believed alive. */
  #isSlow(): boolean {
    const sinceMs = this.#options.clock.nowMs() - this.#limits.maxWaitMs - this.#limits.slowAfterMs;
    for (const { sentAtMs } of this.#asks.values()) if (sentAtMs < sinceMs) return true;
    return false;
  }
}
