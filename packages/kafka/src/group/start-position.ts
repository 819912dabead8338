import { partitionKey, type TopicPartition } from '../ports/partition.ts';

/**
 * What we keep in the metadata of each commit: which topic of that name the position belongs to, and how many
 * partitions it had when the group began with it.
 */
export interface CommitMark {
  readonly topicId: string | undefined;
  readonly partitionsAtBegin: number | undefined;
}

/** As text: `t=<topic id>;n=<partitions>`. Small: brokers limit it (offset.metadata.max.bytes). */
export function commitMarkText({ topicId, partitionsAtBegin }: CommitMark): string {
  const parts = [];
  if (topicId !== undefined) parts.push(`t=${topicId}`);
  if (partitionsAtBegin !== undefined) parts.push(`n=${partitionsAtBegin}`);
  return parts.join(';');
}

/** Of the metadata of any commit; somebody else's says nothing to us. */
export function readCommitMark(metadata: string): CommitMark {
  const [, topicId] = /(?:^|;)t=([^;\s]+)/.exec(metadata) ?? [];
  const [, count] = /(?:^|;)n=(\d+)/.exec(metadata) ?? [];
  return { topicId, partitionsAtBegin: count === undefined ? undefined : Number(count) };
}

/** A partition of the topic, and what the group has committed on it. */
export interface PartitionCommit extends TopicPartition {
  /** −1: nothing. */
  readonly offset: bigint;
  readonly mark: CommitMark;
}

export interface TopicNow {
  readonly topicId: string | undefined;
  readonly partitionCount: number;
}

/** Where a partition that was just given to us is read from. `why` is told where a person would wonder. */
export type StartPlan =
  | { readonly at: 'committed'; readonly offset: bigint; readonly mark: CommitMark }
  | {
      readonly at: 'beginning' | 'end';
      readonly mark: CommitMark;
      readonly why: string | undefined;
    };

/**
 * Decides where reading of one partition begins: at its commit; else where `startAt` says. Two cases begin at the
 * beginning whatever it says, because otherwise records are never seen: the topic was made again since (its first
 * records came while we still read the old one), and the partition came later than the group (its first records came
 * before the group noticed it).
 * @param commits of every partition of the topic, as far as the group has any.
 * @param isMadeAgain this process has read another topic of that name.
 */
export function planStart(
  partition: TopicPartition,
  topic: TopicNow,
  commits: readonly PartitionCommit[],
  {
    startAt,
    isMadeAgain,
  }: { readonly startAt: 'beginning' | 'end'; readonly isMadeAgain: boolean },
): StartPlan {
  const { topicId, partitionCount } = topic;
  const isOfOther = ({ mark }: PartitionCommit): boolean =>
    mark.topicId !== undefined && topicId !== undefined && mark.topicId !== topicId;
  const own = commits.filter(({ offset }) => offset >= 0n);
  const others = own.filter(isOfOther);
  const valid = own.filter((commit) => !isOfOther(commit));
  const counts = valid.flatMap(({ mark }) => mark.partitionsAtBegin ?? []);
  const knownBegin = counts.length > 0 ? Math.min(...counts) : undefined;
  const isNewTopic = isMadeAgain || others.length > 0;
  // In a topic that was made again every partition came later than the group.
  const partitionsAtBegin = knownBegin ?? (isNewTopic ? 0 : partitionCount);
  const mark = { topicId, partitionsAtBegin };
  const committed = valid.find(({ partition: number }) => number === partition.partition);
  if (committed) return { at: 'committed', offset: committed.offset, mark };
  if (isNewTopic && partition.partition >= partitionsAtBegin)
    return {
      at: 'beginning',
      mark,
      why: `${partition.topic} was deleted and made again: ${partitionKey(partition)} is read from the beginning of the new topic`,
    };
  if (partition.partition >= partitionsAtBegin)
    return {
      at: 'beginning',
      mark,
      why: `${partitionKey(partition)} is newer than the group: it is read from its beginning`,
    };
  return { at: startAt, mark, why: undefined };
}
