import type { Clock } from '@outbound/service-kit';
import { KafkaError } from '../../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../../ports/partition.ts';
import type { TopicFacts } from '../../ports/topic-facts.ts';
import type {
  AbortedTransaction,
  FetchedPartition,
  FetchRequest,
  OffsetAnswer,
  OffsetAt,
  TopicLog,
} from '../../ports/topic-log.ts';
import { encodedBatch } from './encoded-batch.ts';

interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
}

/** One partition of the log in memory. */
export class MemoryPartition {
  leader = 1;
  leaderEpoch = 0;
  /** Nodes that answer fetches although they do not lead: what followers do. */
  followers: number[] = [];
  logStart = 0;
  batches: StoredBatch[] = [];
  aborted: AbortedTransaction[] = [];
  /** Set: below the log's end. */
  highWatermark: number | undefined;
  lastStable: number | undefined;
  /** Answered instead, once each. */
  codes: number[] = [];

  get end(): number {
    return (this.batches.at(-1)?.lastOffset ?? this.logStart - 1) + 1;
  }

  /** Appends a batch of these values. */
  async append(...values: string[]): Promise<void> {
    const baseOffset = this.end;
    this.batches.push({
      baseOffset,
      lastOffset: baseOffset + values.length - 1,
      bytes: await encodedBatch({
        baseOffset,
        records: values.map((value, offsetDelta) => ({ offsetDelta, value })),
      }),
    });
  }
}

/** A tiny cluster in memory, which remembers what it was asked. */
export class MemoryLog implements TopicLog {
  readonly asked: { readonly nodeId: number; readonly request: FetchRequest }[] = [];
  looks = 0;
  topicId: string | undefined = 'id-1';
  topicCode = 0;
  /** Set: what the topic is said to be, whatever it is. */
  stale: readonly { readonly leader: number; readonly leaderEpoch: number }[] | undefined;
  partitions: MemoryPartition[];
  readonly deadNodes = new Set<number>();
  /** What the next calls of each kind are rejected with. */
  readonly rejections: Record<'topics' | 'offsets' | 'fetch', KafkaError[]> = {
    ...{ topics: [], offsets: [], fetch: [] },
  };
  /** Nodes whose answers are not given until they are let go. */
  readonly heldNodes = new Set<number>();
  /**
   * For how long each of the next fetches is answered with nothing by a quota, and the next one after it lies, in ms.
   */
  throttles: number[] = [];
  readonly #mutedUntilMs = new Map<number, number>();
  readonly #held: { readonly nodeId: number; readonly release: () => void }[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock, partitions = 1) {
    this.#clock = clock;
    this.partitions = Array.from({ length: partitions }, () => new MemoryPartition());
  }

  partition(number: number): MemoryPartition {
    const found = this.partitions[number];
    if (!found) throw new Error(`there is no partition ${number}`);
    return found;
  }

  letGo(nodeId: number): void {
    this.heldNodes.delete(nodeId);
    for (const held of this.#held.splice(0)) if (held.nodeId === nodeId) held.release();
  }

  topics(names: readonly string[]): Promise<readonly TopicFacts[]> {
    this.looks += 1;
    const rejection = this.rejections.topics.shift();
    if (rejection) return Promise.reject(rejection);
    return Promise.resolve(
      names.map((topic) => ({
        topic,
        topicId: this.topicCode === 0 ? this.topicId : undefined,
        errorCode: this.topicCode,
        partitions:
          this.topicCode === 0
            ? this.partitions.map(({ leader, leaderEpoch }, partition) => ({
                partition,
                replicas: [],
                ...(this.stale?.[partition] ?? { leader, leaderEpoch }),
              }))
            : [],
      })),
    );
  }

  offsets(
    nodeId: number,
    partitions: readonly TopicPartition[],
    at: OffsetAt,
  ): Promise<readonly OffsetAnswer[]> {
    const rejection = this.rejections.offsets.shift();
    if (rejection) return Promise.reject(rejection);
    return Promise.resolve(
      partitions.map(({ topic, partition }) => {
        const found = this.partition(partition);
        const errorCode = found.leader === nodeId ? 0 : 6;
        const offset = at === 'earliest' ? found.logStart : (found.highWatermark ?? found.end);
        return { topic, partition, errorCode, offset: BigInt(offset) };
      }),
    );
  }

  async fetch(nodeId: number, request: FetchRequest): Promise<readonly FetchedPartition[]> {
    this.asked.push({ nodeId, request });
    const rejection = this.rejections.fetch.shift();
    if (rejection) throw rejection;
    if (this.deadNodes.has(nodeId))
      throw new KafkaError('KAFKA_UNAVAILABLE', `broker ${nodeId} is away`);
    const mutedMs = (this.#mutedUntilMs.get(nodeId) ?? 0) - this.#clock.nowMs();
    if (mutedMs > 0) await this.#clock.sleep(mutedMs);
    const throttleMs = this.throttles.shift();
    if (throttleMs !== undefined) {
      this.#mutedUntilMs.set(nodeId, this.#clock.nowMs() + throttleMs);
      return [];
    }
    let answers = this.#answers(nodeId, request);
    const isEmpty = () =>
      answers.every(({ errorCode, recordSet }) => errorCode === 0 && recordSet.length === 0);
    const untilMs = this.#clock.nowMs() + request.maxWaitMs;
    while (isEmpty() && this.#clock.nowMs() < untilMs) {
      await this.#clock.sleep(10);
      answers = this.#answers(nodeId, request);
    }
    if (this.heldNodes.has(nodeId))
      await new Promise<void>((release) => this.#held.push({ nodeId, release }));
    return answers;
  }

  #answers(nodeId: number, request: FetchRequest): FetchedPartition[] {
    let room = request.maxBytes;
    return request.positions.map((position, index) => {
      const { topic, topicId, partition, offset, leaderEpoch } = position;
      const found = this.partition(partition);
      const highWatermark = found.highWatermark ?? found.end;
      const lastStable = found.lastStable ?? highWatermark;
      const isOther = topicId !== undefined && topicId !== this.topicId;
      const errorCode = isOther ? 100 : codeOf(found, nodeId, Number(offset), leaderEpoch);
      let bytes = Buffer.alloc(0);
      if (errorCode === 0) {
        const left = Buffer.concat(
          found.batches
            .filter((batch) => batch.lastOffset >= Number(offset) && batch.lastOffset < lastStable)
            .map((batch) => batch.bytes),
        );
        const least = index === 0 && left.length > 0 ? left.readInt32BE(8) + 12 : 0;
        bytes = left.subarray(0, Math.max(least, Math.min(room, request.maxBytesPerPartition)));
        if (least === 0 && bytes.length >= 12 && bytes.readInt32BE(8) + 12 > bytes.length)
          bytes = Buffer.alloc(0);
        room = Math.max(0, room - bytes.length);
      }
      return {
        topic,
        partition,
        errorCode,
        highWatermark: BigInt(highWatermark),
        lastStableOffset: BigInt(lastStable),
        logStartOffset: BigInt(found.logStart),
        aborted: found.aborted,
        recordSet: bytes,
      };
    });
  }
}

function codeOf(
  found: MemoryPartition,
  nodeId: number,
  offset: number,
  leaderEpoch: number,
): number {
  const planned = found.codes.shift();
  if (planned !== undefined) return planned;
  if (found.leader !== nodeId && !found.followers.includes(nodeId)) return 6;
  if (leaderEpoch >= 0 && found.leader === nodeId && leaderEpoch < found.leaderEpoch) return 74;
  return offset < found.logStart || offset > found.end ? 1 : 0;
}

/** The partitions that a request asks for, in its order. */
export const askedFor = ({ request }: { readonly request: FetchRequest }): string[] =>
  request.positions.map((position) => `${partitionKey(position)}@${position.offset}`);
