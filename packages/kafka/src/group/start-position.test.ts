import { describe, expect, it } from 'vitest';
import {
  commitMarkText,
  planStart,
  readCommitMark,
  type PartitionCommit,
  type StartPlan,
} from './start-position.ts';

const commit = (partition: number, offset: bigint, metadata: string): PartitionCommit => ({
  topic: 't',
  partition,
  offset,
  mark: readCommitMark(metadata),
});

const plan = (
  partition: number,
  commits: readonly PartitionCommit[],
  more: { startAt?: 'beginning' | 'end'; isMadeAgain?: boolean; partitionCount?: number } = {},
): StartPlan =>
  planStart(
    { topic: 't', partition },
    { topicId: 'new', partitionCount: more.partitionCount ?? 4 },
    commits,
    { startAt: more.startAt ?? 'end', isMadeAgain: more.isMadeAgain ?? false },
  );

describe("a commit's mark", () => {
  it('is read from what it was written to, and somebody else’s metadata is none', () => {
    const mark = { topicId: 'Abc_-1==', partitionsAtBegin: 12 };
    expect(commitMarkText(mark)).toBe('t=Abc_-1==;n=12');
    expect(readCommitMark(commitMarkText(mark))).toEqual(mark);
    const none = { topicId: undefined, partitionsAtBegin: undefined };
    expect(commitMarkText(none)).toBe('');
    for (const metadata of ['', 'host-7', 'count=3', 'it=1;in=2'])
      expect(readCommitMark(metadata)).toEqual(none);
  });
});

describe('where a partition is read from', () => {
  it('is its commit, also one that another client made', () => {
    expect(plan(1, [commit(0, 9n, ''), commit(1, 5n, '')])).toMatchObject({
      at: 'committed',
      offset: 5n,
    });
    expect(plan(1, [commit(1, 0n, 't=new;n=4')])).toMatchObject({ at: 'committed', offset: 0n });
  });

  it('is what the caller says where the group begins, for every member whoever is first', () => {
    expect(plan(3, [])).toMatchObject({
      at: 'end',
      mark: { topicId: 'new', partitionsAtBegin: 4 },
      why: undefined,
    });
    expect(plan(3, [commit(0, 9n, 't=new;n=4')])).toMatchObject({ at: 'end' });
    expect(plan(3, [commit(0, 9n, 't=new;n=4')], { startAt: 'beginning' })).toMatchObject({
      at: 'beginning',
      why: undefined,
    });
  });

  it('is the beginning for a partition that came later than the group, however often the topic has grown', () => {
    const began = commit(0, 9n, 't=new;n=4');
    const first = plan(4, [began], { partitionCount: 6 });
    expect(first).toMatchObject({ at: 'beginning', mark: { partitionsAtBegin: 4 } });
    const grown = commit(4, 0n, commitMarkText(first.mark));
    expect(plan(5, [began, grown], { partitionCount: 8 })).toMatchObject({ at: 'beginning' });
    expect(plan(7, [grown], { partitionCount: 8 })).toMatchObject({ at: 'beginning' });
  });

  it('is the beginning of a topic that was made again, and a position of the old one counts no more', () => {
    const old = [commit(0, 900n, 't=old;n=4'), commit(1, 900n, 't=old;n=4')];
    const first = plan(0, old);
    expect(first).toMatchObject({
      at: 'beginning',
      mark: { topicId: 'new', partitionsAtBegin: 0 },
    });
    expect(first).toHaveProperty('why', expect.stringContaining('made again'));
    // Also where nothing was committed on the old one, and where the others have gone on already.
    expect(plan(3, old)).toMatchObject({ at: 'beginning' });
    const after = [0, 1].map((partition) => commit(partition, 3n, commitMarkText(first.mark)));
    expect(plan(2, after)).toMatchObject({ at: 'beginning' });
    // The brokers forget the positions of a topic that is deleted, but we have read it.
    expect(plan(0, [], { isMadeAgain: true })).toMatchObject({ at: 'beginning' });
  });
});
