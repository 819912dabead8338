import type { TopicFacts } from '../ports/topic-facts.ts';
import { unknownTopicOrPartition } from './fetch-codes.ts';
import type { TopicChange } from './fetcher-options.ts';

/** What is known of a topic while it is read, and what each new description of it means. Pure but for its memory. */
export class TopicWatch {
  readonly #goneAfterMs: number;
  #topicId: string | undefined;
  #partitions: number | undefined;
  #unknownSinceMs: number | undefined;
  #isGoneTold = false;

  constructor(goneAfterMs: number) {
    this.#goneAfterMs = goneAfterMs;
  }

  /** As last described; undefined where no broker says. */
  get topicId(): string | undefined {
    return this.#topicId;
  }

  /**
   * What the owner of a position knows: the topic that the position is of, and its partitions. What was seen before
   * counts more.
   */
  expect(topicId: string | undefined, partitions?: number): void {
    this.#topicId ??= topicId;
    this.#partitions ??= partitions;
  }

  /** The change that this description shows; undefined if none. Each is given once. */
  see(facts: TopicFacts, nowMs: number): TopicChange | undefined {
    if (facts.errorCode === unknownTopicOrPartition) {
      this.#unknownSinceMs ??= nowMs;
      if (this.#isGoneTold || nowMs - this.#unknownSinceMs < this.#goneAfterMs) return undefined;
      this.#isGoneTold = true;
      return { kind: 'gone' };
    }
    if (facts.errorCode !== 0) return undefined;
    this.#unknownSinceMs = undefined;
    const back = this.#isGoneTold ? ({ kind: 'back' } as const) : undefined;
    this.#isGoneTold = false;
    const before = this.#partitions;
    const { topicId } = facts;
    const isFewer = before !== undefined && facts.partitions.length < before;
    // A topic never loses partitions: this broker has not heard yet that it grew.
    if (isFewer && topicId !== undefined && topicId === this.#topicId) return back;
    const isAnother =
      (topicId !== undefined && this.#topicId !== undefined && topicId !== this.#topicId) ||
      isFewer;
    this.#topicId = topicId ?? this.#topicId;
    this.#partitions = facts.partitions.length;
    if (isAnother) return { kind: 'made-again', topicId };
    if (before !== undefined && facts.partitions.length > before)
      return { kind: 'grown', before, partitions: facts.partitions.length };
    return back;
  }
}
