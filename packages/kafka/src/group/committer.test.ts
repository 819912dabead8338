import { beforeEach, describe, expect, it } from 'vitest';
import type { TestMember } from './test-support/test-member.ts';
import { outcome, TestWorld } from './test-support/test-world.ts';

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});

/** What was lost on its way arrives now. */
function arrive(): void {
  for (const carryOut of world.group.lateCommits.splice(0)) carryOut();
}
/** Commits on partition 0; the first request of it gets lost, the second is answered. */
async function commitTwice(one: TestMember, offset: bigint): Promise<void> {
  world.group.delaysCommit = true;
  const commit = outcome(one.commit(0, offset));
  await world.clock.advance(100);
  expect(commit.value).toBe('done');
}
/** The requests of commits are not answered until what this gives is called. */
function holdCommits(): () => void {
  world.group.held.set('commit', []);
  return () => {
    const answers = world.group.held.get('commit') ?? [];
    world.group.held.delete('commit');
    for (const answer of answers) answer();
  };
}
const commitCalls = () => world.group.calls.filter((call) => call === 'commit').length;

describe('a commit without an answer', () => {
  it('that is carried out late does not set the position back for long', async () => {
    const one = await world.join();
    await commitTwice(one, 5n);
    await one.commit(0, 9n);
    arrive();
    expect(world.committed['t/0']).toBe(5n);
    await world.clock.advance(11_000);
    expect(world.committed['t/0']).toBe(9n);
  });

  it('that is carried out minutes later does not, either', async () => {
    const one = await world.join();
    await commitTwice(one, 5n);
    await one.commit(0, 9n);
    await world.clock.advance(120_000);
    arrive();
    await world.clock.advance(40_000);
    expect(world.committed['t/0']).toBe(9n);
  });

  it('does not lead behind what was sought back to', async () => {
    const one = await world.join();
    await commitTwice(one, 9n);
    await one.member.restartAt([{ topic: 't', partition: 0, offset: 2n }]);
    arrive();
    expect(world.committed['t/0']).toBe(9n);
    await world.clock.advance(11_000);
    expect(world.committed['t/0']).toBe(2n);
  });

  it('takes nothing back of a commit that is out when it is repeated', async () => {
    const one = await world.join();
    await commitTwice(one, 5n);
    await world.clock.advance(9000);
    const answer = holdCommits();
    const later = outcome(one.commit(0, 9n));
    await world.clock.advance(2000);
    answer();
    await world.clock.advance(600_000);
    expect(later.value).toBe('done');
    expect(world.committed['t/0']).toBe(9n);
  });

  it('takes nothing back of a new beginning that is out when it is repeated', async () => {
    const one = await world.join();
    await commitTwice(one, 9n);
    await world.clock.advance(9000);
    const answer = holdCommits();
    const restart = outcome(one.member.restartAt([{ topic: 't', partition: 0, offset: 2n }]));
    await world.clock.advance(2000);
    answer();
    await world.clock.advance(1000);
    expect([restart.value, world.committed['t/0']]).toEqual(['done', 2n]);
    await one.commit(0, 3n);
    await world.clock.advance(600_000);
    expect(world.committed['t/0']).toBe(3n);
  });

  it('that was a new beginning is still one together with what came after it', async () => {
    const one = await world.join();
    await one.commit(0, 9n);
    const answer = holdCommits();
    world.group.losesAnswerOf = 'commit';
    const restart = outcome(one.member.restartAt([{ topic: 't', partition: 0, offset: 2n }]));
    await world.clock.advance(10);
    const next = outcome(one.commit(0, 3n));
    answer();
    await world.clock.advance(1000);
    expect([restart.value, next.value, world.committed['t/0']]).toEqual(['done', 'done', 3n]);
  });

  it('costs two more, and none once others have come after it', async () => {
    const one = await world.join();
    const before = commitCalls();
    await commitTwice(one, 5n);
    await world.clock.advance(600_000);
    expect(commitCalls() - before).toBe(4);
    await commitTwice(one, 6n);
    await world.clock.advance(200_000);
    const after = commitCalls();
    await world.clock.advance(600_000);
    expect(commitCalls()).toBe(after);
  });

  it('is not repeated for a partition that has gone', async () => {
    const one = await world.join();
    await commitTwice(one, 5n);
    world.group.forget();
    await world.clock.advance(7000);
    const before = commitCalls();
    await world.clock.advance(600_000);
    expect(commitCalls()).toBe(before);
  });
});

describe('a member that stops with commits that were not answered', () => {
  it('waits for no pause between two tries', async () => {
    const one = await world.join();
    world.group.held.set('commit', []);
    const commit = outcome(one.commit(0, 5n));
    await world.clock.advance(10);
    one.stop();
    await world.clock.advance(1);
    expect(one.isDone).toBe(true);
    expect(commit.value).toMatchObject({ code: 'KAFKA_NOT_OURS' });
  });

  it('waits for no repetition', async () => {
    const one = await world.join();
    await commitTwice(one, 5n);
    one.stop();
    await world.clock.advance(1);
    expect(one.isDone).toBe(true);
  });
});
