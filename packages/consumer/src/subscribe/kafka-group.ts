import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaRecord, RecordHeader } from '@outbound/kafka';
import type { KafkaLog } from '@outbound/service-kit';
import type { Batch, Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { ConsumerError } from '../errors.ts';
import type { CommitPosition, FetchedRecords, GroupPort } from './dispatcher.ts';
import { drainBeforeJoin } from './drain-before-join.ts';
import { FetchPositions } from './fetch-positions.ts';
import { StartOffsets } from './start-offsets.ts';

const lookUpAgainMs = 500;

export interface KafkaGroupOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topic: string;
  readonly from: 'beginning' | 'end';
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly log: KafkaLog;
  /** False: not wanted now. */
  readonly onFetch: (fetched: FetchedRecords) => boolean;
  /** Before each join; may take up to the rebalance timeout. Heartbeats go on meanwhile. Must not reject. */
  readonly onJoining: () => Promise<void>;
  readonly onJoined: (partitions: readonly number[]) => void;
  /** Something moved: a fetch was answered, the group joined, a restart begun. */
  readonly onProgress: () => void;
  /** The client ended and does not start again by itself. */
  readonly onCrash: (error: Error) => void;
  /** The client ended and starts again by itself. */
  readonly onRestart: (error: Error) => void;
}

/**
 * Membership in a consumer group through kafkajs. Its loop only fetches: records are handed on at once and handled elsewhere, so a slow handler neither stops the
 * heartbeats (they go with the fetches, which end every half second at the latest) nor the other partitions.
 *
 * **Promise**: what is handed on of a partition begins where the group stands and has no gap. kafkajs does not see to that: one of its fetchers, one a broker, rejoins
 * while the others go on, and what they have on its way moves the new generation's positions past records that were dropped with the old one. So after each join
 * the start positions are asked for and sought, and a fetch that does not begin at the expected position is refused.
 */
export class KafkaGroup implements GroupPort {
  readonly #options: KafkaGroupOptions;
  readonly #consumer: Consumer;
  readonly #heartbeatMs: number;
  /** Of the last fetch: heartbeat and commit in the generation that it belongs to. */
  #payload: EachBatchPayload | undefined;
  readonly #positions = new FetchPositions();
  readonly #startOffsets: StartOffsets;
  /** Aborted at the next join, and at the end. */
  #generation = new AbortController();

  constructor(options: KafkaGroupOptions) {
    this.#options = options;
    this.#startOffsets = new StartOffsets(options);
    const { kafka, groupId, sessionTimeoutMs, rebalanceTimeoutMs } = options;
    this.#heartbeatMs = Math.min(3_000, Math.floor(sessionTimeoutMs / 4));
    this.#consumer = kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: this.#heartbeatMs,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      partitionAssigners: [drainBeforeJoin(() => this.#joining())],
      retry: { initialRetryTime: 200, maxRetryTime: 3_000, retries: 8 },
    });
  }

  /** Joins and begins to fetch; resolves when the first join is through or under way. */
  async start(): Promise<void> {
    const { topic, from, log, onJoined, onProgress, onCrash, onRestart } = this.#options;
    const { events } = this.#consumer;
    this.#consumer.on(events.FETCH, onProgress);
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      onProgress();
      const partitions = payload.memberAssignment[topic] ?? [];
      onJoined(partitions);
      this.#begin(partitions).catch((error: unknown) => {
        log.error({ error }, 'the positions of the group were not sought');
      });
    });
    this.#consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      // Without records to show: kafkajs moves its position and tells nobody else.
      if (payload.batchSize === 0)
        this.#positions.passOver(payload.partition, BigInt(payload.lastOffset) + 1n);
    });
    this.#consumer.on(events.CRASH, ({ payload: { error, restart } }) => {
      onProgress();
      if (restart) onRestart(error);
      else onCrash(error);
    });
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [topic], fromBeginning: from === 'beginning' });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => Promise.resolve(this.#fetched(payload)),
    });
  }

  /** Leaves the group, so that the others take over at once, and closes the connections. */
  async stop(): Promise<void> {
    this.#generation.abort();
    await this.#consumer.disconnect();
    await this.#startOffsets.close();
  }

  /** Retention has overtaken the group there, or the topic was made anew: kafkajs reads on from elsewhere. */
  readAnywhere(partition: number): void {
    this.#positions.startAnywhere(partition);
  }

  pause(topic: string, partition: number): void {
    this.#whileRunning(() => this.#consumer.pause([{ topic, partitions: [partition] }]));
  }

  resume(topic: string, partition: number): void {
    this.#whileRunning(() => this.#consumer.resume([{ topic, partitions: [partition] }]));
  }

  async commit(positions: readonly CommitPosition[]): Promise<void> {
    // Not consumer.commitOffsets: after a rebalance it would try again in the new generation, for partitions that may not be ours any more.
    await this.#payload?.commitOffsetsIfNecessary({
      topics: [
        {
          topic: this.#options.topic,
          partitions: positions.map(({ partition, offset }) => ({
            partition,
            offset: String(offset),
          })),
        },
      ],
    });
  }

  #fetched(payload: EachBatchPayload): void {
    const { batch } = payload;
    if (!payload.isRunning() || payload.isStale()) return;
    this.#payload = payload;
    const { topic, partition, messages } = batch;
    const last = messages.at(-1);
    if (!last) return;
    const next = BigInt(batch.lastOffset()) + 1n;
    const verdict = this.#positions.judge(partition, askedFrom(batch), next);
    if (verdict === 'refuse') return;
    if (verdict !== 'take') {
      this.#seek(partition, verdict.seek);
      return;
    }
    const isTaken = this.#options.onFetch({
      topic,
      partition,
      records: messages.map((message) => toRecord(topic, partition, message)),
      next,
    });
    // Resolved is fetched, not handled: the next fetch goes on behind it. What is committed is told explicitly.
    if (isTaken) payload.resolveOffset(last.offset);
    else {
      payload.pause();
      this.#positions.start(partition, askedFrom(batch));
    }
  }

  /** Seeks where the group stands in its partitions; until that is known nothing of them is fetched. */
  async #begin(partitions: readonly number[]): Promise<void> {
    const { topic, log } = this.#options;
    this.#generation.abort();
    const { signal } = (this.#generation = new AbortController());
    this.#positions.clear();
    if (partitions.length === 0) return;
    for (const partition of partitions) this.pause(topic, partition);
    while (!signal.aborted) {
      const starts = await this.#startOffsets.read(partitions).catch((error: unknown) => {
        log.warn({ error }, 'where the group stands is not known yet, nothing is read before');
      });
      if (signal.aborted) return;
      for (const [partition, offset] of starts ?? []) {
        this.#positions.start(partition, offset);
        this.#seek(partition, offset);
        this.resume(topic, partition);
      }
      if (starts) return;
      await delay(lookUpAgainMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #seek(partition: number, offset: bigint): void {
    const { topic } = this.#options;
    this.#whileRunning(() => this.#consumer.seek({ topic, partition, offset: String(offset) }));
  }

  async #joining(): Promise<void> {
    const payload = this.#payload;
    const beat = setInterval(() => {
      this.#options.onProgress();
      // The coordinator answers that the group is joining, and keeps us.
      payload?.heartbeat().catch(() => undefined);
    }, this.#heartbeatMs);
    try {
      await this.#options.onJoining();
    } finally {
      clearInterval(beat);
      this.#payload = undefined;
      // What waited was dropped, so nothing that is on its way may be taken.
      this.#generation.abort();
      this.#positions.clear();
    }
  }

  /** kafkajs throws for a consumer that does not run; then there is nothing to pause, and a new run begins with nothing paused. */
  #whileRunning(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('was not initialized'))) throw error;
    }
  }
}

/** The error of a client that ended. Its own message names brokers and codes, never a payload. */
export function crashError(groupId: string, cause: Error): ConsumerError {
  return new ConsumerError(
    'CONSUMER_CRASHED',
    `the Kafka client of group ${groupId} ended and does not start again by itself: ${cause.message}`,
    { cause },
  );
}

/** The offset that a fetch was asked from. kafkajs 2.2.4 keeps it (src/consumer/batch.js), and its types do not say so. */
function askedFrom(batch: Batch): bigint {
  return BigInt((batch as Batch & { readonly fetchedOffset: string }).fetchedOffset);
}

function toRecord(topic: string, partition: number, message: KafkaMessage): KafkaRecord {
  const { key, value, offset, timestamp, headers } = message;
  const list: RecordHeader[] = Object.entries(headers ?? {}).flatMap(([name, found]) =>
    (Array.isArray(found) ? found : [found ?? null]).map((each) => ({
      name,
      value: typeof each === 'string' ? Buffer.from(each) : each,
    })),
  );
  const text: Record<string, string> = {};
  for (const header of list) if (header.value !== null) text[header.name] = header.value.toString();
  return {
    topic,
    partition,
    offset: BigInt(offset),
    timestampMs: Number(timestamp),
    key,
    headers: text,
    headerList: () => list,
    value,
  };
}
