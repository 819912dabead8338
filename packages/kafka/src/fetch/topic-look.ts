import { backoffMs } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import type { TopicFacts } from '../ports/topic-facts.ts';
import { answerOf } from './answer-of.ts';
import { isPassing, verdictOf } from './fetch-codes.ts';
import type { FetchLane } from './fetch-lane.ts';
import type { FetchLanes } from './fetch-lanes.ts';
import type { FetcherOptions, FetchLimits } from './fetcher-options.ts';
import { TopicWatch } from './topic-watch.ts';

/** Pauses between questions for a leader. The longest also bounds how long after an election reading goes on. */
const pauses = { baseMs: 50, maxMs: 500 };

interface Watched {
  readonly watch: TopicWatch;
  /** The last description without an error. */
  facts: TopicFacts | undefined;
}

/**
 * Who leads what, and what has become of the topics: one question at a time, shared by all lanes that are lost or whose
 * name is said to be another topic's, until none is.
 */
export class TopicLook {
  readonly #options: FetcherOptions;
  readonly #limits: FetchLimits;
  readonly #lanes: FetchLanes;
  readonly #topics = new Map<string, Watched>();
  #isLooking = false;
  #lookedAtMs = 0;

  constructor(options: FetcherOptions, limits: FetchLimits, lanes: FetchLanes) {
    this.#options = options;
    this.#limits = limits;
    this.#lanes = lanes;
  }

  /** A lane that begins: its leader may be known. */
  add(
    lane: FetchLane,
    {
      topicId,
      partitions,
    }: { readonly topicId?: string | undefined; readonly partitions?: number | undefined },
  ): void {
    let topic = this.#topics.get(lane.topic);
    if (!topic) {
      topic = { watch: new TopicWatch(this.#limits.goneAfterMs), facts: undefined };
      this.#topics.set(lane.topic, topic);
    }
    topic.watch.expect(topicId, partitions);
    if (topic.facts) this.#meet(lane, topic.facts);
  }

  /** Forgets the topics that no lane is of. */
  forget(): void {
    const left = new Set([...this.#lanes.all()].map(({ topic }) => topic));
    for (const topic of this.#topics.keys()) if (!left.has(topic)) this.#topics.delete(topic);
  }

  get isDue(): boolean {
    return this.#options.clock.nowMs() - this.#lookedAtMs >= this.#limits.lookEveryMs;
  }

  /**
   * Asks at once; while lanes wait for it, again after pauses that grow. Nothing if a question is out already.
   * @param found called after each answer that was taken over
   */
  async look(signal: AbortSignal, found: () => void): Promise<void> {
    if (this.#isLooking || this.#topics.size === 0) return;
    this.#isLooking = true;
    const { clock, random, onWaiting, onFailed } = this.#options;
    for (;;) {
      const attempt = Math.max(0, ...this.#lanes.waiting().map(({ failures }) => failures));
      if (attempt > 0) await clock.sleep(backoffMs({ attempt, ...pauses, random }), signal);
      const facts = signal.aborted ? undefined : await this.#ask(signal);
      if (!facts) break;
      if (facts instanceof KafkaError) {
        if (!isPassing(facts)) onFailed(facts, undefined);
        for (const lane of this.#lanes.lost()) onWaiting?.(lane, facts.message);
      } else for (const each of facts) this.#see(each);
      found();
      const waiting = this.#lanes.waiting();
      if (waiting.length === 0) break;
      for (const lane of waiting) lane.failures += 1;
    }
    this.#isLooking = false;
  }

  async #ask(signal: AbortSignal): Promise<readonly TopicFacts[] | KafkaError | undefined> {
    const { log, clock } = this.#options;
    this.#lanes.looks += 1;
    this.#lookedAtMs = clock.nowMs();
    return answerOf(log.topics([...this.#topics.keys()]), signal);
  }

  #see(facts: TopicFacts): void {
    const known = this.#topics.get(facts.topic);
    if (!known) return;
    const lanes = this.#lanes.of(facts.topic);
    const verdict = verdictOf(facts.topic, facts.errorCode);
    for (const lane of lanes) if (verdict && !lane.isHeld) this.#lanes.refuse(lane, verdict);
    if (facts.errorCode === 0) known.facts = facts;
    const change = known.watch.see(facts, this.#options.clock.nowMs());
    for (const lane of lanes)
      // Where no broker has ids only the watch can tell that it is another topic.
      if (change?.kind === 'made-again' && facts.topicId === undefined) lane.isHeld = true;
      else this.#meet(lane, facts);
    if (change) this.#options.onTopicChanged(facts.topic, change);
  }

  /**
   * What a description means for a lane: only one of the lane's own topic tells it a leader. With one of another
   * topic of that name it stands still, however often the brokers contradict each other: one that is behind still has
   * the records of a topic that was deleted, and they must not get between those of the new one, nor the other way
   * round.
   */
  #meet(lane: FetchLane, facts: TopicFacts): void {
    if (facts.errorCode === 0 && facts.topicId !== undefined) {
      lane.topicId ??= facts.topicId;
      lane.isForeign = lane.topicId !== facts.topicId;
      if (lane.isForeign) {
        this.#options.onWaiting?.(lane, 'another topic has its name');
        return;
      }
    }
    this.#lead(lane, facts);
  }

  /** Takes over who leads the partition, unless that is older news than what is known. */
  #lead(lane: FetchLane, facts: TopicFacts): void {
    const { leader, leaderEpoch } = facts.partitions[lane.partition] ?? {
      leader: -1,
      leaderEpoch: -1,
    };
    if (leaderEpoch >= 0 && leaderEpoch < lane.leaderEpoch) return;
    lane.leader = leader;
    lane.leaderEpoch = Math.max(lane.leaderEpoch, leaderEpoch);
    if (this.#lanes.looks >= lane.knownFrom) lane.knownFrom = 0;
    // The broker that was asked may never answer, and need not.
    if (lane.ask && leader >= 0 && lane.ask.nodeId !== leader) lane.ask = undefined;
  }
}
