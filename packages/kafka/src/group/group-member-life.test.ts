import { beforeEach, describe, expect, it } from 'vitest';
import { allPartitions as all, TestWorld } from './test-support/test-world.ts';

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});

describe('a member that stops', () => {
  it('lets its owner drain and commit, and leaves', async () => {
    const one = await world.join();
    one.drain = async () => one.commit(0, 6n);
    one.stop();
    await world.clock.advance(10);
    await one.done;
    expect(one.told.slice(-4)).toEqual(all.map((key) => `-${key}`));
    expect(world.committed['t/0']).toBe(6n);
    expect(world.group.memberIds).toEqual([]);
    expect(one.states.at(-1)).toBe('stopped');
  });

  it('in the middle of a rebalance still commits what it has', async () => {
    const one = await world.join();
    await world.join();
    await world.clock.advance(5000);
    const [mine = ''] = one.partitions;
    one.drain = async () => {
      await world.clock.sleep(5000);
      await one.commit(Number(mine.slice(2)), 4n);
    };
    world.group.rebalance();
    await world.clock.advance(3100);
    one.stop();
    await world.clock.advance(9000);
    expect(one.isDone).toBe(true);
    expect(world.committed[mine]).toBe(4n);
  });

  it('ends although the coordinator is away', async () => {
    const one = await world.join();
    world.group.answerWith = 'silence';
    one.stop();
    await world.clock.advance(4000);
    expect(one.isDone).toBe(true);
  });

  it('in the middle of a look at its topics waits neither for the answer nor for the next look', async () => {
    const one = await world.join({ topicsMs: 30_000 });
    world.topics.isSilent = true;
    await world.clock.advance(30_000);
    one.stop();
    await world.clock.advance(1);
    expect(one.isDone).toBe(true);
  });

  it('and is static keeps its place: its next start gets the same, and the others notice nothing', async () => {
    const one = await world.join({ groupInstanceId: 'a' });
    const two = await world.join({ groupInstanceId: 'b' });
    await world.clock.advance(5000);
    const before = two.partitions;
    await two.commit(Number(before[0]?.slice(2)), 3n);
    const { generation } = world.group;
    two.stop();
    await world.clock.advance(5000);
    expect(two.isDone).toBe(true);
    one.told.length = 0;
    const again = await world.join({ groupInstanceId: 'b' });
    expect(again.partitions).toEqual(before);
    expect(again.told).toContain(`+${before[0]}@3`);
    expect(world.group.generation).toBe(generation);
    expect(one.told).toEqual([]);
  });

  it('and is static leaves for good when it is told to', async () => {
    const one = await world.join({ groupInstanceId: 'a', leavesForGood: true });
    one.stop();
    await world.clock.advance(10);
    expect(world.group.memberIds).toEqual([]);
  });

  it('because another has its instance id says so, and hands out nothing more', async () => {
    const one = await world.join({ groupInstanceId: 'a' });
    const other = await world.join({ groupInstanceId: 'a' });
    expect(one.failed).toMatchObject({ code: 'KAFKA_FENCED' });
    expect(one.partitions).toEqual([]);
    expect(other.partitions).toEqual(all);
    await world.clock.advance(60_000);
    expect(other.failed).toBeUndefined();
  });
});

describe("a member's topics", () => {
  it('may be several, each shared out', async () => {
    world.topics.create('u', 'id-u', [0n, 0n]);
    const one = await world.join({ topics: ['t', 'u'] });
    const two = await world.join({ topics: ['u'] });
    await world.clock.advance(5000);
    expect(one.partitions.concat(two.partitions).sort()).toEqual([...all, 'u/0', 'u/1']);
    expect(two.partitions).toEqual(['u/0', 'u/1']);
  });

  it('may grow: the new partition is read from its beginning, also by those who began at the end', async () => {
    const one = await world.join({ startAt: 'end' });
    one.told.length = 0;
    world.topics.create('t', 'id-1', [10n, 20n, 30n, 40n, 7n]);
    await world.clock.advance(31_000);
    expect(one.told).toEqual(['+t/4@0']);
    expect(one.said.join()).toContain('5 partitions');
    expect(one.member.facts.rebalances).toBe(2);
  });

  it('may be made again: the old positions count no more', async () => {
    const one = await world.join();
    await one.commit(0, 10n);
    one.told.length = 0;
    world.topics.create('t', 'id-2', [5n, 5n, 5n, 5n]);
    one.member.lookAtTopics();
    await world.clock.advance(5000);
    expect(one.told).toEqual([...all.map((key) => `!${key}`), ...all.map((key) => `+${key}@0`)]);
    expect(one.said.filter((line) => line.includes('made again'))).not.toEqual([]);
    expect(world.group.offsets.get('t/0')).toEqual({ offset: 0n, metadata: 't=id-2;n=0' });
  });

  it('may have been made again while nobody was there', async () => {
    const one = await world.join();
    await one.commit(0, 10n);
    one.stop();
    await world.clock.advance(1000);
    world.topics.create('t', 'id-2', [5n, 5n, 5n, 5n]);
    const two = await world.join({ startAt: 'end' });
    expect(two.told).toEqual(all.map((key) => `+${key}@0`));
    expect(two.said.join()).toContain('t was deleted and made again');
  });

  it('may be missing: said once, and read when it is there', async () => {
    const one = await world.join({ topics: ['later'] });
    await world.clock.advance(10_000);
    expect(one.partitions).toEqual([]);
    expect(one.said.filter((line) => line.includes('later'))).toHaveLength(1);
    world.topics.create('later', 'id-l', [3n]);
    await world.clock.advance(10_000);
    expect(one.partitions).toEqual(['later/0']);
  });

  it('may go while something else is drained, which goes on being drained', async () => {
    world.topics.create('u', 'id-u', [0n, 0n]);
    const one = await world.join({ topics: ['t', 'u'] });
    let finish = (): void => undefined;
    one.drain = async () => new Promise((resolve) => (finish = resolve));
    const two = await world.join({ topics: ['t'] });
    const draining = one.told.filter((line) => line.startsWith('-')).map((line) => line.slice(1));
    expect(draining.length).toBeGreaterThan(0);
    world.topics.topicsByName.delete('u');
    one.member.lookAtTopics();
    await world.clock.advance(1);
    await world.clock.advance(6000);
    one.member.lookAtTopics();
    await world.clock.advance(5000);
    expect(one.told.filter((line) => line.startsWith('!')).length).toBeGreaterThan(0);
    const [first = ''] = draining;
    await one.commit(Number(first.slice(2)), 3n);
    expect(two.partitions).toEqual([]);
    finish();
    await world.clock.advance(10_000);
    expect(two.told).toContain(`+${first}@3`);
  });

  it('may be forbidden, which only a person changes', async () => {
    world.topics.codes.set('t', 29);
    const one = await world.join();
    await one.done;
    expect(one.failed).toMatchObject({ code: 'KAFKA_FORBIDDEN', kafkaCode: 29 });
    expect(one.failed?.message).toContain('topic t');
  });
});
