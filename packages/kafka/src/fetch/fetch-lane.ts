import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { AnswerReader } from './answer-reader.ts';

/** One request that is out: whose answer belongs to it is told by identity. */
export interface Ask {
  readonly nodeId: number;
  /** Monotonic ms. */
  readonly sentAtMs: number;
}

/** An answer of which not everything has been handed out. */
export interface OpenAnswer {
  readonly reader: AnswerReader;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  /** ms since 1970. */
  readonly askedAtMs: number;
}

/**
 * One life of a partition: from the moment it is given a position until it is revoked, or given another one. An
 * answer to an earlier life finds another lane.
 */
export class FetchLane implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  /** Everything below it has been handed out. */
  position: bigint;
  /** Monotonic ms. */
  pausedAtMs: number | undefined;
  /** Node id; −1: none is known. */
  leader = -1;
  leaderEpoch = -1;
  /**
   * Leaders must have been asked for this many times before it can be asked again: what was known before has failed.
   */
  knownFrom = 0;
  /** What is out for it; only its answer is taken. */
  ask: Ask | undefined;
  /**
   * Handed out before anything more is asked for. Stays in memory while the lane is paused: it is one answer, still
   * compressed.
   */
  open: OpenAnswer | undefined;
  /** Tries that brought nothing, since the last one that did. */
  failures = 0;
  /** Answers in a row that brought nothing, although there was more: they had no room. */
  starved = 0;
  /** The broker does not have the position, and what it has is not asked for yet. */
  isOutOfRange = false;
  /** Since when it is so, monotonic ms; until an answer is good again. */
  outOfRangeSinceMs: number | undefined;
  /** The owner has been told something, and decides. */
  isHeld = false;
  /** Of the topic that the position is of; undefined until it is known, and where no broker says. */
  topicId: string | undefined;
  /** By the last description its name is another topic's: what is there now is none of its records. */
  isForeign = false;

  constructor({
    topic,
    partition,
    offset,
    topicId,
  }: TopicPartition & { readonly offset: bigint; readonly topicId?: string | undefined }) {
    this.topic = topic;
    this.partition = partition;
    this.topicId = topicId;
    this.key = partitionKey(this);
    this.position = offset;
  }

  /** Nothing is asked for it. */
  get isStill(): boolean {
    return this.isHeld || this.isForeign;
  }

  /** Nobody is known who could be asked. */
  get isLost(): boolean {
    return this.leader < 0 || this.knownFrom > 0;
  }

  /** An answer brought what was asked for, or that there is no more. */
  good(): void {
    this.failures = 0;
    this.outOfRangeSinceMs = undefined;
  }
}

/**
 * The lanes in the order in which they are asked for: a broker fills its answer in this order, and only the first one
 * gets a batch that is larger than the limits. So those that have gone without come first; the others take turns by
 * chance, or the first would be read to its end before the last begins.
 */
export function askingOrder(lanes: readonly FetchLane[], random: () => number): FetchLane[] {
  const start = Math.floor(random() * lanes.length);
  return [...lanes.slice(start), ...lanes.slice(0, start)].sort((a, b) => b.starved - a.starved);
}
