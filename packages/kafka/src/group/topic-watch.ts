import type { Clock } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import type { GroupCoordinator } from '../ports/group-coordinator.ts';
import type { TopicPartition } from '../ports/partition.ts';
import type { TopicFacts } from '../ports/topic-facts.ts';
import type { TopicLog } from '../ports/topic-log.ts';
import { groupCode } from './group-codes.ts';
import type { Held, HeldPartitions } from './held-partitions.ts';
import { mustHeal } from './retry.ts';
import { TopicView, type GroupTopicChange } from './topic-view.ts';
import { unlessAborted, Wake } from './wake.ts';

export interface TopicWatchParts {
  readonly coordinator: GroupCoordinator;
  readonly log: TopicLog;
  readonly clock: Clock;
  readonly topics: readonly string[];
  readonly topicsMs: number;
  readonly held: HeldPartitions;
  readonly over: AbortSignal;
  isLeader(): boolean;
  /** How many rebalances there were. */
  rebalances(): number;
  /** What a topic that has gone had: nobody's any more. */
  onGone(lives: readonly Held[]): void;
  rejoin(): void;
  onChanged(change: GroupTopicChange): void;
}

/** While a topic of ours is missing, or a change or a doubt waits. */
const soonMs = 2000;

/**
 * Looks at the group's topics now and then. A topic that was deleted, or made again, ends what we had of it. A change
 * of what is to be shared out makes the group share out anew: the leader's at once, another member's when the leader
 * has not seen it a moment later (it may be a client that does not look, or a static member that does not know that
 * it leads), so that one change is one rebalance.
 */
export class TopicWatch {
  readonly view = new TopicView();
  readonly #parts: TopicWatchParts;
  readonly #wake = new Wake();
  /** A change that was not shared out yet: the count of rebalances when we saw it. */
  #unsharedSince: number | undefined;
  /** Perhaps nobody's: looked at once more after a moment. */
  #doubt: { readonly partitions: readonly TopicPartition[]; readonly sinceMs: number } | undefined;

  constructor(parts: TopicWatchParts) {
    this.#parts = parts;
  }

  /** Looks at once; also to end the loop when the member is over. */
  wake(): void {
    this.#wake.wake();
  }

  /**
   * The group has committed nothing on these, although whoever gets a partition commits where it begins. A static
   * member that comes back is given the old shares, and no leader (Kafka:
   * GroupCoordinator.updateStaticMemberAndRebalance); partitions that were added while all were away are in nobody's
   * share, and nobody sees the topic grow. If they are still without a commit a moment later, we have the group share
   * out anew.
   */
  doubt(partitions: readonly TopicPartition[]): void {
    if (partitions.length === 0 || this.#doubt) return;
    this.#doubt = { partitions, sinceMs: this.#parts.clock.nowMs() };
    this.#wake.wake();
  }

  /** @throws KafkaError that only a person can change. */
  async run(): Promise<void> {
    const { clock, log, topics, over, topicsMs } = this.#parts;
    // Looked at before the sleep too: what has ended during a question has woken nobody.
    while (!over.aborted) {
      const isSettled =
        this.#unsharedSince === undefined &&
        !this.#doubt &&
        topics.every((topic) => this.view.now(topic));
      await clock.sleep(isSettled ? topicsMs : Math.min(soonMs, topicsMs), this.#wake.signal);
      if (over.aborted) return;
      if (this.#unsharedSince !== undefined && this.#unsharedSince === this.#parts.rebalances())
        this.#parts.rejoin();
      this.#unsharedSince = undefined;
      try {
        const facts = await unlessAborted(log.topics(topics), over);
        if (facts) this.learn(facts);
        if (await unlessAborted(this.#isDoubtRight(), over)) this.#parts.rejoin();
      } catch (error) {
        // Looked at again in a while; those who fetch say that Kafka is away.
        mustHeal(error);
      }
    }
  }

  /**
   * Takes in what somebody has just been told of the topics.
   * @throws KafkaError KAFKA_FORBIDDEN, KAFKA_REJECTED for a topic of ours that can't be described until a person
   * changes something.
   */
  learn(facts: readonly TopicFacts[]): void {
    const { held, clock, topics } = this.#parts;
    for (const one of facts) if (topics.includes(one.topic)) refuseTopic(one);
    for (const change of this.view.learn(facts, clock.nowMs())) {
      this.#parts.onChanged(change);
      const lives =
        change.what === 'grown' ? [] : held.all().filter(({ topic }) => topic === change.topic);
      if (lives.length > 0) this.#parts.onGone(lives);
      if (lives.length > 0 || this.#parts.isLeader()) this.#parts.rejoin();
      else this.#unsharedSince = this.#parts.rebalances();
    }
  }

  async #isDoubtRight(): Promise<boolean> {
    const { clock, coordinator } = this.#parts;
    const doubt = this.#doubt;
    if (!doubt || clock.nowMs() - doubt.sinceMs < soonMs) return false;
    const commits = await coordinator.committed(doubt.partitions);
    // What can't be read yet is asked for again.
    if (commits.some(({ errorCode }) => errorCode !== groupCode.none)) return false;
    this.#doubt = undefined;
    return commits.some(({ offset }) => offset < 0n);
  }
}

const invalidTopic = 17;

function refuseTopic({ topic, errorCode }: TopicFacts): void {
  if (errorCode === groupCode.topicForbidden)
    throw new KafkaError(
      'KAFKA_FORBIDDEN',
      `this user may not read the topic ${topic}: grant READ and DESCRIBE on it`,
      { kafkaCode: errorCode },
    );
  if (errorCode === invalidTopic)
    throw new KafkaError('KAFKA_REJECTED', `"${topic}" is no name that a topic may have`, {
      kafkaCode: errorCode,
    });
}
