import { beforeEach, describe, expect, it } from 'vitest';
import { KafkaError } from '../kafka-error.ts';
import { allPartitions as all, outcome, TestWorld } from './test-support/test-world.ts';
import { TestMember } from './test-support/test-member.ts';

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});

describe('a group member that joins', () => {
  it('gets everything when it is alone, from the beginning, which it has committed before', async () => {
    const one = await world.join();
    expect(one.told).toEqual(all.map((key) => `+${key}@0`));
    expect(world.committed).toEqual({ 't/0': 0n, 't/1': 0n, 't/2': 0n, 't/3': 0n });
    expect(world.group.offsets.get('t/0')?.metadata).toBe('t=id-1;n=4');
    expect(one.states.at(-1)).toBe('running');
  });

  it('from the end begins where the end was then, and so does who comes after a crash', async () => {
    const one = await world.join({ startAt: 'end' });
    expect(one.told).toEqual(['+t/0@10', '+t/1@20', '+t/2@30', '+t/3@40']);
    world.topics.create('t', 'id-1', [11n, 21n, 31n, 41n]);
    world.group.forget();
    await world.clock.advance(10_000);
    expect(one.told.slice(-4)).toEqual(['+t/0@10', '+t/1@20', '+t/2@30', '+t/3@40']);
  });

  it('commits where it begins before it says so, however long that takes', async () => {
    world.group.held.set('commit', []);
    const one = await world.join();
    expect(one.told).toEqual([]);
    for (const release of world.group.held.get('commit') ?? []) release();
    await world.clock.advance(1);
    expect(one.partitions).toEqual(all);
  });

  it('starts what it can, and the rest when its leader is back', async () => {
    world.topics.leaderless.add('t/2');
    const one = await world.join();
    expect(one.partitions).toEqual(['t/0', 't/1', 't/3']);
    world.topics.leaderless.clear();
    await world.clock.advance(2000);
    expect(one.partitions).toEqual(all);
  });

  it('waits for a coordinator that is away, and says so', async () => {
    world.group.answerWith = 'silence';
    const one = await world.join();
    expect(one.states).toContain('waiting');
    world.group.answerWith = 15;
    await world.clock.advance(2000);
    world.group.answerWith = undefined;
    await world.clock.advance(2000);
    expect(one.partitions).toEqual(all);
    expect(one.states.at(-1)).toBe('running');
  });

  it.each([
    [23, 'KAFKA_REJECTED', 'cooperative-sticky'],
    [26, 'KAFKA_REJECTED', 'group.min.session.timeout.ms'],
    [81, 'KAFKA_REJECTED', 'group.max.size'],
    [30, 'KAFKA_FORBIDDEN', 'READ on the GROUP'],
    [82, 'KAFKA_FENCED', 'group instance id'],
  ])('ends with a named reason at code %i', async (code, name, text) => {
    world.group.answerWith = code;
    const one = await world.join();
    await one.done;
    expect(one.failed).toMatchObject({ code: name, kafkaCode: code });
    expect(one.failed?.message).toContain(text);
  });
});

describe('a rebalance', () => {
  it('takes from a member only what moves, after it was drained, and the rest goes on', async () => {
    const one = await world.join();
    let finish = (): void => undefined;
    one.drain = async () => new Promise((resolve) => (finish = resolve));
    one.told.length = 0;
    const two = await world.join();
    const moved = one.told.map((line) => line.slice(1));
    expect(one.told).toHaveLength(2);
    expect(one.told.every((line) => line.startsWith('-'))).toBe(true);
    // Nobody gets it before the drain has ended, and until then it can be committed.
    await world.clock.advance(10_000);
    expect(two.partitions).toEqual([]);
    const kept = all.filter((key) => !moved.includes(key));
    const [first = ''] = moved;
    await one.commit(Number(first.slice(2)), 7n);
    await one.commit(Number(kept[0]?.slice(2)), 5n);
    finish();
    await world.clock.advance(4000);
    expect(two.partitions).toEqual(moved);
    expect(two.told).toContain(`+${first}@7`);
    expect(one.partitions).toEqual(kept);
    expect(one.told).toHaveLength(2);
  });

  it('does not touch who has nothing to give when a member leaves', async () => {
    const one = await world.join();
    const two = await world.join();
    await world.clock.advance(5000);
    one.told.length = 0;
    two.stop();
    await world.clock.advance(5000);
    expect(two.isDone).toBe(true);
    expect(two.told.filter((line) => line.startsWith('-'))).toHaveLength(2);
    expect(one.told.every((line) => line.startsWith('+'))).toBe(true);
    expect(one.partitions).toEqual(all);
  });

  it('refuses a commit of what has gone, before it is sent, and commits the rest', async () => {
    const one = await world.join();
    const two = await world.join();
    await world.clock.advance(5000);
    const [gone = 0] = two.partitions.map((key) => Number(key.slice(2)));
    const [kept = 0] = one.partitions.map((key) => Number(key.slice(2)));
    const positions = [
      { topic: 't', partition: gone, offset: 9n },
      { topic: 't', partition: kept, offset: 9n },
    ];
    await expect(one.member.commit(positions)).rejects.toMatchObject({ code: 'KAFKA_NOT_OURS' });
    expect(world.committed).toMatchObject({ [`t/${gone}`]: 0n, [`t/${kept}`]: 9n });
  });

  it('holds a commit between the join and the share, and sends it under the new generation', async () => {
    const one = await world.join();
    world.group.held.set('sync', []);
    world.group.rebalance();
    await world.clock.advance(4000);
    const commit = outcome(one.commit(0, 8n));
    await world.clock.advance(2000);
    expect(commit.value).toBe('open');
    expect(world.group.calls.at(-1)).not.toBe('commit');
    for (const release of world.group.held.get('sync') ?? []) release();
    world.group.held.clear();
    await world.clock.advance(100);
    expect(commit.value).toBe('done');
    expect(world.committed['t/0']).toBe(8n);
    expect(one.told.filter((line) => !line.startsWith('+'))).toEqual([]);
  });

  it('goes on committing while the group waits for a member that drains', async () => {
    const members = [await world.join(), await world.join()];
    await world.clock.advance(5000);
    for (const member of members) member.drain = async () => new Promise<never>(() => undefined);
    await world.join();
    const other = members.find(
      ({ told }) => told.filter((line) => line.startsWith('-')).length < 2,
    );
    world.group.rebalance();
    await world.clock.advance(4000);
    expect(world.group.state).toBe('Preparing');
    const [mine = ''] = other?.partitions ?? [];
    await other?.commit(Number(mine.slice(2)), 3n);
    expect(world.committed[mine]).toBe(3n);
    expect(other?.told.filter((line) => line.startsWith('!'))).toEqual([]);
  });

  it('takes no notice of what an earlier generation is told', async () => {
    const one = await world.join();
    world.group.held.set('heartbeat', []);
    await world.clock.advance(3000);
    world.group.rebalance();
    // The commit hears of it first; the heartbeat is still out.
    const before = world.group.generation;
    one.member.lookAtTopics();
    world.topics.create('t', 'id-1', [10n, 20n, 30n, 40n, 50n]);
    await world.clock.advance(5000);
    expect(world.group.generation).toBeGreaterThan(before);
    for (const release of world.group.held.get('heartbeat') ?? []) release();
    world.group.held.clear();
    await world.clock.advance(10);
    expect(one.told.some((line) => line.startsWith('!'))).toBe(false);
  });
});

describe('a member that the group has lost', () => {
  it('loses everything, tells it, and joins again from what was committed', async () => {
    const one = await world.join();
    await one.commit(1, 17n);
    one.told.length = 0;
    world.group.forget();
    await world.clock.advance(3000);
    expect(one.told.slice(0, 4)).toEqual(all.map((key) => `!${key}`));
    await world.clock.advance(3000);
    expect(one.told.slice(4)).toContain('+t/1@17');
    expect(one.partitions).toEqual(all);
  });

  it('regards its partitions as lost after the session timeout, by its own clock', async () => {
    const one = await world.join();
    world.group.answerWith = 'silence';
    await world.clock.advance(26_000);
    expect(one.partitions).toEqual(all);
    const commit = outcome(one.commit(0, 8n));
    await world.clock.advance(5000);
    expect(one.partitions).toEqual([]);
    expect(one.told.filter((line) => line.startsWith('!'))).toHaveLength(4);
    expect(commit.value).toMatchObject({ code: 'KAFKA_NOT_OURS' });
    expect(world.committed['t/0']).toBe(0n);
  });

  it('finds that out before it hands out another event when it was suspended', async () => {
    const one = await world.join();
    expect(one.member.isOurs({ topic: 't', partition: 0 })).toBe(true);
    world.clock.jump(31_000);
    expect(one.member.isOurs({ topic: 't', partition: 0 })).toBe(false);
    expect(one.partitions).toEqual([]);
    await world.clock.advance(10_000);
    expect(one.partitions).toEqual(all);
  });

  it('keeps its identity and its partitions while the coordinator is away for less, and commits when it is back', async () => {
    const one = await world.join();
    const { generation } = world.group;
    one.told.length = 0;
    for (const trouble of ['silence', 16, 15, 14] as const) {
      world.group.answerWith = trouble;
      const commit = outcome(one.commit(0, BigInt(world.clock.nowMs())));
      await world.clock.advance(5000);
      expect(commit.value).toBe('open');
      world.group.answerWith = undefined;
      await world.clock.advance(1000);
      expect(commit.value).toBe('done');
    }
    expect(world.group.generation).toBe(generation);
    expect(one.told).toEqual([]);
    expect(world.group.calls.filter((call) => call === 'join')).toHaveLength(2);
  });

  it('whose join was answered into nothing joins again and has lost nothing', async () => {
    const one = await world.join();
    one.told.length = 0;
    for (const call of ['join', 'sync'] as const) {
      world.group.losesAnswerOf = call;
      world.group.rebalance();
      await world.clock.advance(8000);
      expect(world.group.losesAnswerOf).toBeUndefined();
    }
    expect(one.told).toEqual([]);
    await one.commit(0, 4n);
    expect(world.committed['t/0']).toBe(4n);
  });
});

describe('a commit', () => {
  it('never lowers a position, whatever the order of the calls', async () => {
    const one = await world.join();
    await Promise.all([one.commit(0, 5n), one.commit(0, 9n), one.commit(0, 7n)]);
    await one.commit(0, 6n);
    expect(world.committed['t/0']).toBe(9n);
    await one.member.restartAt([{ topic: 't', partition: 0, offset: 2n }]);
    expect(world.committed['t/0']).toBe(2n);
    await one.commit(0, 3n);
    expect(world.committed['t/0']).toBe(3n);
  });

  it('whose answer is lost is sent again until it is answered', async () => {
    const one = await world.join();
    world.group.losesAnswerOf = 'commit';
    const commit = outcome(one.commit(2, 11n));
    await world.clock.advance(1000);
    expect(commit.value).toBe('done');
    expect(world.committed['t/2']).toBe(11n);
  });

  it('of somebody who is not in the group is refused', async () => {
    const one = new TestMember(world);
    await expect(one.commit(0, 1n)).rejects.toBeInstanceOf(KafkaError);
  });
});
