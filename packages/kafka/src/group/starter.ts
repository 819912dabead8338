import type { Clock } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import type { CommittedOffset, GroupCoordinator } from '../ports/group-coordinator.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { TopicFacts } from '../ports/topic-facts.ts';
import type { TopicLog } from '../ports/topic-log.ts';
import type { Committer } from './committer.ts';
import { groupCode, groupFailure, groupVerdict } from './group-codes.ts';
import type { Held, HeldPartitions } from './held-partitions.ts';
import { mustHeal, Retry } from './retry.ts';
import { planStart, readCommitMark, type StartPlan } from './start-position.ts';
import type { TopicView } from './topic-view.ts';
import { unlessAborted } from './wake.ts';

export interface StarterParts {
  readonly coordinator: GroupCoordinator;
  readonly log: TopicLog;
  readonly clock: Clock;
  readonly random: () => number;
  readonly startAt: 'beginning' | 'end';
  readonly held: HeldPartitions;
  readonly view: TopicView;
  readonly committer: Committer;
  /** Takes in what topics are now, and has the member react to it. */
  onFacts(facts: readonly TopicFacts[]): void;
  onStarted(started: readonly (readonly [Held, bigint])[]): void;
  /**
   * Partitions of our topics that the group has committed nothing on: whoever has them has not begun, or nobody has
   * them. Told while we begin.
   */
  onUncommitted(partitions: readonly TopicPartition[]): void;
  /** In one sentence: why a partition begins where nobody would expect it. */
  onRemark(sentence: string): void;
  onWaiting(error: KafkaError): void;
}

/**
 * Finds where each partition that was given to us begins, and commits that before anybody reads from there: so a
 * crash in the first event begins at the same place again. Goes on, partition by partition, until all of them have
 * begun or are not ours any more.
 * @throws KafkaError that only a person can change.
 */
export async function startPartitions(
  parts: StarterParts,
  lives: readonly Held[],
  over: AbortSignal,
): Promise<void> {
  const retry = new Retry(parts.clock, parts.random);
  let left = lives;
  for (;;) {
    left = left.filter((life) => parts.held.has(life) && life.phase === 'starting');
    if (left.length === 0 || over.aborted) return;
    try {
      await unlessAborted(startSome(parts, left), over);
    } catch (error) {
      parts.onWaiting(mustHeal(error));
    }
    if (left.some((life) => parts.held.has(life) && life.phase === 'starting'))
      await retry.wait(over);
  }
}

async function startSome(parts: StarterParts, lives: readonly Held[]): Promise<void> {
  const topics = [...new Set(lives.map(({ topic }) => topic))];
  const facts = await parts.log.topics(topics);
  parts.onFacts(facts);
  const plans = await planAll(
    parts,
    lives.filter((life) => parts.held.has(life)),
  );
  const committed: [Held, bigint][] = [];
  const open: [Held, 'beginning' | 'end'][] = [];
  for (const [life, plan] of plans) {
    life.mark = plan.mark;
    if (plan.at === 'committed') {
      life.committed = plan.offset;
      committed.push([life, plan.offset]);
    } else open.push([life, plan.at]);
  }
  start(parts, committed);
  const found = await lookUp(parts, facts, open);
  const outcomes = await parts.committer.commitLives(found);
  start(
    parts,
    found.filter((_, index) => outcomes[index] === undefined),
  );
  for (const [life, plan] of plans)
    if (plan.at !== 'committed' && plan.why !== undefined && life.phase !== 'starting')
      parts.onRemark(plan.why);
}

function start(parts: StarterParts, found: readonly (readonly [Held, bigint])[]): void {
  const present = found.filter(([life]) => parts.held.has(life) && life.phase === 'starting');
  for (const [life] of present) life.phase = 'running';
  if (present.length > 0) parts.onStarted(present);
}

/** @throws KafkaError KAFKA_UNAVAILABLE where a commit can't be read yet. */
async function planAll(parts: StarterParts, lives: readonly Held[]): Promise<[Held, StartPlan][]> {
  const { coordinator, view, startAt } = parts;
  const topics = new Map(lives.map(({ topic }) => [topic, view.now(topic)]));
  const asked: TopicPartition[] = [];
  for (const [topic, now] of topics)
    for (let partition = 0; partition < (now?.partitionCount ?? 0); partition += 1)
      asked.push({ topic, partition });
  if (asked.length === 0) return [];
  const commits = (await coordinator.committed(asked)).map((commit) => {
    refuse(commit);
    return { ...commit, mark: readCommitMark(commit.metadata) };
  });
  parts.onUncommitted(
    commits.flatMap(({ offset, topic, partition }) => (offset < 0n ? [{ topic, partition }] : [])),
  );
  return lives.flatMap((life): [Held, StartPlan][] => {
    const now = topics.get(life.topic);
    // A broker that lags behind, or a topic that is about to go.
    if (now === undefined || life.partition >= now.partitionCount) return [];
    const ofTopic = commits.filter(({ topic }) => topic === life.topic);
    const isMadeAgain = view.wasMadeAgain(life.topic);
    return [[life, planStart(life, now, ofTopic, { startAt, isMadeAgain })]];
  });
}

function refuse({ errorCode, ...partition }: CommittedOffset): void {
  if (errorCode === groupCode.none || errorCode === groupCode.unknownTopicOrPartition) return;
  if (groupVerdict(errorCode) === 'fail') throw groupFailure(errorCode);
  throw new KafkaError(
    'KAFKA_UNAVAILABLE',
    `the commit on ${partitionKey(partition)} can't be read yet (code ${errorCode})`,
    { kafkaCode: errorCode },
  );
}

/** Asks the leaders; what they don't say is left out. */
async function lookUp(
  { log }: StarterParts,
  facts: readonly TopicFacts[],
  open: readonly (readonly [Held, 'beginning' | 'end'])[],
): Promise<[Held, bigint][]> {
  const byQuestion = new Map<string, { leader: number; at: 'earliest' | 'end'; lives: Held[] }>();
  for (const [life, where] of open) {
    const topic = facts.find((one) => one.topic === life.topic);
    const leader = topic?.partitions[life.partition]?.leader ?? -1;
    if (leader < 0) continue;
    const at = where === 'beginning' ? 'earliest' : 'end';
    const question = byQuestion.get(`${leader} ${at}`);
    if (question) question.lives.push(life);
    else byQuestion.set(`${leader} ${at}`, { leader, at, lives: [life] });
  }
  const answers = await Promise.all(
    [...byQuestion.values()].map(async ({ leader, at, lives }): Promise<[Held, bigint][]> => {
      const offsets = await log.offsets(leader, lives, at).catch((error: unknown) => {
        mustHeal(error);
        return [];
      });
      return lives.flatMap((life): [Held, bigint][] => {
        const answer = offsets.find((one) => partitionKey(one) === partitionKey(life));
        return answer?.errorCode === groupCode.none ? [[life, answer.offset]] : [];
      });
    }),
  );
  return answers.flat();
}
