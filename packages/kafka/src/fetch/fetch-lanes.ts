import type { KafkaError } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { Ask, FetchLane } from './fetch-lane.ts';
import type { FetcherOptions } from './fetcher-options.ts';

/** The partitions that are read, each in its present life, and what becomes of one that cannot be. */
export class FetchLanes {
  /** Questions for topics that have been begun: a lane that is lost waits for the answer to a later one. */
  looks = 0;
  readonly #byKey = new Map<string, FetchLane>();
  readonly #options: Pick<FetcherOptions, 'logger' | 'onWaiting' | 'onFailed'>;

  constructor(options: Pick<FetcherOptions, 'logger' | 'onWaiting' | 'onFailed'>) {
    this.#options = options;
  }

  /** Ends the life that the partition had. */
  begin(lane: FetchLane): void {
    this.#byKey.set(lane.key, lane);
  }

  end(partition: TopicPartition): void {
    this.#byKey.delete(partitionKey(partition));
  }

  get(partition: TopicPartition): FetchLane | undefined {
    return this.#byKey.get(partitionKey(partition));
  }

  all(): Iterable<FetchLane> {
    return this.#byKey.values();
  }

  of(topic: string): FetchLane[] {
    return [...this.all()].filter((lane) => lane.topic === topic);
  }

  lost(): FetchLane[] {
    return [...this.all()].filter((lane) => !lane.isStill && lane.isLost);
  }

  /** They wait for what the next question for topics brings. */
  waiting(): FetchLane[] {
    return [...this.all()].filter((lane) => !lane.isHeld && (lane.isForeign || lane.isLost));
  }

  /** Has any that this broker leads been paused after that time, and is so still? */
  werePausedSince(nodeId: number, sinceMs: number): boolean {
    for (const { leader, pausedAtMs } of this.all())
      if (leader === nodeId && pausedAtMs !== undefined && pausedAtMs > sinceMs) return true;
    return false;
  }

  /** True if the lane still lives, and this is the answer that it waits for. */
  isWaitingFor(lane: FetchLane, ask: Ask): boolean {
    return lane.ask === ask && this.#byKey.get(lane.key) === lane;
  }

  /** Nothing more is asked of the leader that was known. */
  lose(lane: FetchLane, why: string): void {
    lane.ask = undefined;
    lane.knownFrom = this.looks + 1;
    lane.failures += 1;
    if (lane.failures === 1)
      this.#options.logger.warn(
        { component: 'fetcher', topic: lane.topic, partition: lane.partition, error: why },
        'a partition gives nothing, asking for its leader',
      );
    this.#options.onWaiting?.(lane, why);
  }

  /** The lane stands still: a person must do something. */
  refuse(lane: FetchLane, error: KafkaError): void {
    lane.isHeld = true;
    this.#options.onFailed(error, lane);
  }
}
