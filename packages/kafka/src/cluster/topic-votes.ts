import { unknownTopicOrPartition } from '../kafka-errors.ts';
import type { PartitionFacts, TopicFacts } from '../ports/topic-facts.ts';

/** LEADER_NOT_AVAILABLE: there is something of that name, and nothing can be said of it now. */
const notNow = 5;

/** What one broker says of the topics, each broker once. */
export type Votes = readonly (readonly TopicFacts[])[];

/**
 * Which topic has a name, from descriptions each of which may come from a broker that is cut off from the controller:
 * it knows a former topic, or none, for as long as it is cut off, and nothing in its answer tells. So what is news is
 * believed only when a majority of the brokers says so, and a topic that is missing is news each time. Where no
 * majority answers, or none agrees, what was believed stays if anybody says it. No input or output.
 */
export class TopicVotes {
  /** By topic, as last agreed on. */
  readonly #believed = new Map<string, TopicFacts>();

  /** Others must be asked before this is believed. */
  isNews(topics: readonly TopicFacts[]): boolean {
    return topics.some((facts) => {
      const believed = this.#believed.get(facts.topic);
      if (facts.errorCode !== 0 || !believed || !isSame(facts, believed)) return true;
      return facts.topicId !== undefined && believed.topicId === undefined;
    });
  }

  /**
   * What is to be believed of these topics.
   * @param majority so many votes settle a topic
   * @param isAll nobody else can be asked
   * @returns undefined while others have to be asked
   */
  settle(
    names: readonly string[],
    votes: Votes,
    { majority, isAll }: { readonly majority: number; readonly isAll: boolean },
  ): readonly TopicFacts[] | undefined {
    const settled: TopicFacts[] = [];
    for (const topic of names) {
      const groups = groupsOf(votes.map((facts) => factsOf(topic, facts)));
      const agreed =
        groups.find(({ length }) => length >= majority) ??
        (isAll ? this.#withoutMajority(topic, groups) : undefined);
      if (agreed) settled.push(newest(agreed));
      else if (isAll)
        settled.push({ topic, topicId: undefined, errorCode: notNow, partitions: [] });
      else return undefined;
    }
    for (const facts of settled)
      if (facts.errorCode === 0) this.#believed.set(facts.topic, facts);
      else if (facts.errorCode !== notNow) this.#believed.delete(facts.topic);
    return settled;
  }

  /** A broker that has a topic may be behind, but has heard more than one that has none. */
  #withoutMajority(topic: string, groups: readonly TopicFacts[][]): TopicFacts[] | undefined {
    const believed = this.#believed.get(topic);
    const there = groups.filter(([facts]) => facts?.errorCode === 0);
    const same = there.find(([facts]) => facts && believed && isSame(facts, believed));
    if (same) return same;
    const [first, ...others] = there.length > 0 ? there : groups;
    return others.length === 0 ? first : undefined;
  }
}

function factsOf(topic: string, facts: readonly TopicFacts[]): TopicFacts {
  const missing = {
    topic,
    topicId: undefined,
    errorCode: unknownTopicOrPartition,
    partitions: [],
  };
  return facts.find((each) => each.topic === topic) ?? missing;
}

/** Where a broker is too old for ids, only another number of partitions tells topics apart. */
function isSame(one: TopicFacts, other: TopicFacts): boolean {
  if (one.errorCode !== 0 || other.errorCode !== 0) return one.errorCode === other.errorCode;
  return one.topicId !== undefined && other.topicId !== undefined
    ? one.topicId === other.topicId
    : one.partitions.length === other.partitions.length;
}

function groupsOf(said: readonly TopicFacts[]): TopicFacts[][] {
  const groups: TopicFacts[][] = [];
  // Those with an id first: one without fits to any.
  const inOrder = [...said].sort(
    (a, b) => Number(a.topicId === undefined) - Number(b.topicId === undefined),
  );
  for (const facts of inOrder) {
    const group = groups.find(([first]) => first && isSame(first, facts));
    if (group) group.push(facts);
    else groups.push([facts]);
  }
  return groups;
}

/** Of descriptions of one topic: each partition by who has heard of its latest leader. */
function newest([first, ...others]: readonly TopicFacts[]): TopicFacts {
  if (!first) throw new Error('nobody has said anything of a topic');
  const partitions = new Map<number, PartitionFacts>();
  for (const facts of [first, ...others])
    for (const each of facts.partitions) {
      const known = partitions.get(each.partition);
      if (!known || each.leaderEpoch > known.leaderEpoch) partitions.set(each.partition, each);
    }
  return { ...first, partitions: [...partitions.values()] };
}
