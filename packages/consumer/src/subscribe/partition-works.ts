import { partitionKey, type TopicPartition } from '@outbound/kafka';
import type { PartitionWork } from './partition-work.ts';
import { bytesOfEach, type WaitingLimits } from './waiting-limits.ts';

/** The partitions that are ours, each in its present life, and what earlier lives of any have left behind. */
export class PartitionWorks {
  readonly #limits: WaitingLimits;
  readonly #works = new Map<string, PartitionWork>();
  /** The same, as an array, for the turns. */
  #rotation: readonly PartitionWork[] = [];
  #turn = 0;
  /** Deliveries of lives that are over, by partition. */
  readonly #leftOver = new Map<string, number>();
  readonly #paused = new Set<string>();

  constructor(limits: WaitingLimits) {
    this.#limits = limits;
  }

  get all(): readonly PartitionWork[] {
    return this.#rotation;
  }

  /** The one whose turn it is; undefined where there is none. */
  next(): PartitionWork | undefined {
    this.#turn = (this.#turn + 1) % this.#rotation.length;
    return this.#rotation[this.#turn];
  }

  find(partition: TopicPartition): PartitionWork | undefined {
    return this.#works.get(partitionKey(partition));
  }

  isOurs(work: PartitionWork): boolean {
    return this.find(work) === work;
  }

  /** The life begins: paused if its partition is, and not before what earlier lives have left behind has ended. */
  begin(work: PartitionWork): void {
    const name = partitionKey(work);
    work.leftOver = this.#leftOver.get(name) ?? 0;
    work.isPaused = this.#paused.has(name);
    this.#works.set(name, work);
    this.#share();
  }

  /** The life is over: what runs of it no longer counts. Nothing if it is not ours any more. */
  drop(work: PartitionWork): void {
    if (!this.isOurs(work)) return;
    const name = partitionKey(work);
    work.life.abandon();
    if (work.out > 0) this.#leftOver.set(name, (this.#leftOver.get(name) ?? 0) + work.out);
    this.#works.delete(name);
    this.#share();
  }

  /** A delivery of a life that is over has ended. */
  leftOverEnded(work: PartitionWork): void {
    const name = partitionKey(work);
    const left = (this.#leftOver.get(name) ?? 1) - 1;
    if (left === 0) this.#leftOver.delete(name);
    else this.#leftOver.set(name, left);
    const successor = this.#works.get(name);
    if (successor) successor.leftOver = left;
  }

  /** Until `resume`, in later lives too. */
  pause(partitions: readonly TopicPartition[]): void {
    this.#setPaused(partitions, true);
  }

  /** Without an argument all of them. */
  resume(partitions?: readonly TopicPartition[]): void {
    if (partitions) return this.#setPaused(partitions, false);
    this.#paused.clear();
    for (const work of this.#rotation) work.isPaused = false;
  }

  #setPaused(partitions: readonly TopicPartition[], isPaused: boolean): void {
    for (const partition of partitions) {
      const name = partitionKey(partition);
      if (isPaused) this.#paused.add(name);
      else this.#paused.delete(name);
      const work = this.#works.get(name);
      if (work) work.isPaused = isPaused;
    }
  }

  /** After partitions have come or gone: the turns, and what each may keep. */
  #share(): void {
    this.#rotation = [...this.#works.values()];
    const { maxEvents } = this.#limits;
    const maxBytes = bytesOfEach(this.#limits, this.#rotation.length);
    for (const work of this.#rotation) work.limits = { maxEvents, maxBytes };
  }
}
