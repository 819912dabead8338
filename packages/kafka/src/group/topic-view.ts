import type { TopicFacts } from '../ports/topic-facts.ts';
import type { TopicNow } from './start-position.ts';
import { groupCode } from './group-codes.ts';

/**
 * What has happened to a topic: deleted; deleted and made again; given more partitions (also one that was not there
 * before).
 */
export type TopicEvent = 'gone' | 'made-again' | 'grown';

export interface GroupTopicChange {
  readonly topic: string;
  readonly what: TopicEvent;
  readonly before: number;
  readonly after: number;
}

/**
 * Brokers that were just started do not know every topic yet: one that is missing for this long is missing. That no
 * broker is believed alone is the port's promise (`TopicLog.topics`); this is for what most of them do not know yet.
 */
const goneAfterMs = 5000;

interface Known {
  topicId: string | undefined;
  partitionCount: number;
  missingSinceMs: number | undefined;
  isGone: boolean;
}

/**
 * What a group's topics are, from descriptions that may be old: brokers answer as they know it, so an id that was
 * replaced once is believed again only when nobody has said otherwise for a while, partitions only become more, and a
 * topic is gone only when it stays away. No input or output.
 */
export class TopicView {
  readonly #known = new Map<string, Known>();
  readonly #replaced = new Set<string>();
  /** Since when nothing but a replaced id is told: the other one may have been the old news. */
  readonly #toldAgainMs = new Map<string, number>();
  readonly #madeAgain = new Set<string>();

  /** The topic as it is now; undefined while it is not there. */
  now(topic: string): TopicNow | undefined {
    const known = this.#known.get(topic);
    return known === undefined || known.isGone || known.partitionCount === 0 ? undefined : known;
  }

  /** Another topic of this name was seen before the present one. */
  wasMadeAgain(topic: string): boolean {
    return this.#madeAgain.has(topic);
  }

  /** Takes a description in. @returns what a member must be told or react to. */
  learn(facts: readonly TopicFacts[], nowMs: number): GroupTopicChange[] {
    return facts.flatMap((one) => this.#learn(one, nowMs) ?? []);
  }

  #learn(facts: TopicFacts, nowMs: number): GroupTopicChange | undefined {
    const { topic, topicId, errorCode } = facts;
    const count = facts.partitions.length;
    let known = this.#known.get(topic);
    if (known === undefined) {
      known = { topicId: undefined, partitionCount: 0, missingSinceMs: undefined, isGone: false };
      this.#known.set(topic, known);
      if (errorCode === groupCode.none) {
        known.topicId = topicId;
        known.partitionCount = count;
        return undefined;
      }
    }
    const before = known.partitionCount;
    if (errorCode === groupCode.unknownTopicOrPartition) {
      known.missingSinceMs ??= nowMs;
      if (known.isGone || nowMs - known.missingSinceMs < goneAfterMs) return undefined;
      known.isGone = true;
      return { topic, what: 'gone', before, after: 0 };
    }
    if (errorCode !== groupCode.none || count === 0) return undefined;
    if (topicId !== undefined && this.#replaced.has(topicId)) {
      const sinceMs = this.#toldAgainMs.get(topic) ?? nowMs;
      this.#toldAgainMs.set(topic, sinceMs);
      if (nowMs - sinceMs < goneAfterMs) return undefined;
      this.#replaced.delete(topicId);
    }
    this.#toldAgainMs.delete(topic);
    known.missingSinceMs = undefined;
    const isOther =
      topicId !== undefined && known.topicId !== undefined
        ? topicId !== known.topicId
        : count < before;
    const wasGone = known.isGone;
    known.isGone = false;
    if (isOther) {
      if (known.topicId !== undefined) this.#replaced.add(known.topicId);
      this.#madeAgain.add(topic);
      known.topicId = topicId;
      known.partitionCount = count;
      return { topic, what: 'made-again', before, after: count };
    }
    known.topicId ??= topicId;
    known.partitionCount = Math.max(before, count);
    return count > before || wasGone
      ? { topic, what: 'grown', before: wasGone ? 0 : before, after: count }
      : undefined;
  }
}

/** A change in one sentence, for people. */
export function describeChange({ topic, what, before, after }: GroupTopicChange): string {
  switch (what) {
    case 'gone':
      return `the topic ${topic} is not there${before === 0 ? '' : ' any more'}: nothing of it is read until it is made again`;
    case 'made-again':
      return `the topic ${topic} was deleted and made again: positions of the old one count no more, and the new one is read from its beginning`;
    case 'grown':
      return `the topic ${topic} has ${after} partitions now, before ${before}: the group shares it out anew`;
  }
}
