import {
  KafkaError,
  type FetchedPartition,
  type FetchRequest,
  type OffsetAnswer,
  type OffsetAt,
  type TopicFacts,
  type TopicLog,
  type TopicPartition,
} from '@outbound/kafka';
import type { Chance } from '../chance.ts';
import { beginningMs, type Life } from '../life.ts';
import { kafkaCode } from './kafka-codes.ts';
import type { Network } from './network.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

const requestTimeoutMs = 4000;

/** What the schedule sees of a reader's fetches. */
export interface FetchWatcher {
  /** A request goes out. */
  fetching(positions: FetchRequest['positions']): void;
}

/** The topics as one reader reaches them; one for each life. */
export class SimulatedTopicLog implements TopicLog {
  readonly #cluster: SimulatedCluster;
  readonly #network: Network;
  readonly #life: Life;
  readonly #chance: Chance;
  readonly #watcher: FetchWatcher;
  /** Nodes that a description has named: others cannot be reached. */
  readonly #named = new Set<number>();
  /** What is out now, by node: a reading sends one fetch to a broker at a time. */
  #fetching = new Set<number>();

  constructor(parts: {
    readonly cluster: SimulatedCluster;
    readonly network: Network;
    readonly life: Life;
    readonly chance: Chance;
    readonly watcher: FetchWatcher;
  }) {
    this.#cluster = parts.cluster;
    this.#network = parts.network;
    this.#life = parts.life;
    this.#chance = parts.chance;
    this.#watcher = parts.watcher;
  }

  async topics(names: readonly string[]): Promise<readonly TopicFacts[]> {
    for (let attempt = 1; ; attempt += 1) {
      const broker = this.#chance.pick(this.#cluster.brokerIds);
      try {
        const facts = await this.#network.ask<readonly TopicFacts[]>({
          life: this.#life,
          broker,
          socket: 'ask',
          what: 'metadata',
          timeoutMs: requestTimeoutMs,
          act: (answer) => answer(names.map((name) => this.#cluster.describe(broker, name))),
        });
        // Every description names all brokers that are there.
        for (const id of this.#cluster.brokerIds) this.#named.add(id);
        return facts;
      } catch (error) {
        if (attempt >= 3) throw error;
      }
    }
  }

  async offsets(
    nodeId: number,
    partitions: readonly TopicPartition[],
    at: OffsetAt,
  ): Promise<readonly OffsetAnswer[]> {
    this.#requireNamed(nodeId);
    return this.#network.ask<readonly OffsetAnswer[]>({
      life: this.#life,
      broker: nodeId,
      socket: 'ask',
      what: 'offsets',
      timeoutMs: requestTimeoutMs,
      act: (answer) =>
        answer(
          partitions.map(({ topic, partition }) => ({
            topic,
            partition,
            ...this.#offset(nodeId, { topic, partition }, at),
          })),
        ),
    });
  }

  /** Another reading begins; what the last one has out still is nobody's any more, and may be answered late. */
  beginAgain(): void {
    this.#fetching = new Set();
  }

  async fetch(nodeId: number, request: FetchRequest): Promise<readonly FetchedPartition[]> {
    this.#requireNamed(nodeId);
    const fetching = this.#fetching;
    if (fetching.has(nodeId))
      throw new Error(`a second fetch of broker ${nodeId} while one is out`);
    fetching.add(nodeId);
    this.#watcher.fetching(request.positions);
    try {
      return await this.#network.ask<readonly FetchedPartition[]>({
        life: this.#life,
        broker: nodeId,
        socket: 'fetch',
        what: 'fetch',
        timeoutMs: requestTimeoutMs + request.maxWaitMs,
        act: (answer) => this.#serve(nodeId, request, answer),
      });
    } finally {
      fetching.delete(nodeId);
    }
  }

  /** Waits for bytes, as a broker does, but answers at once with an error. */
  #serve(
    nodeId: number,
    request: FetchRequest,
    answer: (answers: readonly FetchedPartition[]) => void,
  ): void {
    const look = (): readonly FetchedPartition[] | undefined => {
      const answers = this.#answers(nodeId, request);
      const bytes = answers.reduce((sum, { recordSet }) => sum + recordSet.length, 0);
      const isDue =
        bytes >= request.minBytes || answers.some(({ errorCode }) => errorCode !== kafkaCode.none);
      return isDue ? answers : undefined;
    };
    const now = request.maxWaitMs <= 0 ? this.#answers(nodeId, request) : look();
    if (now) return answer(now);
    const settle = (answers: readonly FetchedPartition[]): void => {
      unwatch();
      limit.cancel();
      answer(answers);
    };
    const unwatch = this.#cluster.watch(() => {
      if (this.#cluster.isHung(nodeId)) return;
      const due = look();
      if (due) settle(due);
    });
    const limit = this.#cluster.scheduler.after(request.maxWaitMs, () =>
      settle(this.#answers(nodeId, request)),
    );
  }

  #answers(nodeId: number, request: FetchRequest): FetchedPartition[] {
    const answers: FetchedPartition[] = [];
    let room = request.maxBytes;
    for (const position of request.positions) {
      const { topic, topicId, partition, offset, leaderEpoch } = position;
      const refuse = (errorCode: number): void => {
        answers.push({
          topic,
          partition,
          errorCode,
          highWatermark: -1n,
          lastStableOffset: -1n,
          logStartOffset: -1n,
          aborted: [],
          recordSet: Buffer.alloc(0),
        });
      };
      // As Kafka from 3.1 on: by the id, if there is one.
      const hasId =
        topicId === undefined || this.#cluster.describe(nodeId, topic).topicId === topicId;
      if (!hasId) {
        refuse(kafkaCode.unknownTopicId);
        continue;
      }
      const served = this.#cluster.serve(nodeId, { topic, partition }, leaderEpoch);
      if (!served.partition) {
        refuse(served.errorCode);
        continue;
      }
      const { log } = served.partition;
      const from = Number(offset);
      if (from < log.startOffset || from > log.endOffset) {
        refuse(kafkaCode.offsetOutOfRange);
        continue;
      }
      const limit = Math.max(0, Math.min(room, request.maxBytesPerPartition));
      const isFirst = room === request.maxBytes;
      const { bytes, aborted } = log.read(from, limit, isFirst);
      room -= bytes.length;
      answers.push({
        topic,
        partition,
        errorCode: kafkaCode.none,
        highWatermark: BigInt(log.highWatermark),
        lastStableOffset: BigInt(log.lastStableOffset),
        logStartOffset: BigInt(log.startOffset),
        aborted: this.#chance.shuffled(aborted).map((each) => ({
          producerId: BigInt(each.producerId),
          firstOffset: BigInt(each.firstOffset),
        })),
        recordSet: bytes,
      });
    }
    return answers;
  }

  #offset(
    nodeId: number,
    at: TopicPartition,
    which: OffsetAt,
  ): { errorCode: number; offset: bigint } {
    const served = this.#cluster.serve(nodeId, at);
    if (!served.partition) return { errorCode: served.errorCode, offset: -1n };
    const { log, epochStart } = served.partition;
    const isBehind = log.highWatermark < Math.min(epochStart, log.endOffset);
    if (isBehind && which !== 'earliest')
      return {
        errorCode: this.#chance.pick([kafkaCode.offsetNotAvailable, kafkaCode.leaderNotAvailable]),
        offset: -1n,
      };
    const offset =
      which === 'earliest'
        ? log.startOffset
        : which === 'end'
          ? log.highWatermark
          : which === 'stable-end'
            ? log.lastStableOffset
            : (log.offsetAt(which.timeMs - beginningMs) ?? -1);
    return { errorCode: kafkaCode.none, offset: BigInt(offset) };
  }

  #requireNamed(nodeId: number): void {
    if (!this.#named.has(nodeId))
      throw new KafkaError('KAFKA_UNAVAILABLE', `broker ${nodeId} is not known`);
  }
}
