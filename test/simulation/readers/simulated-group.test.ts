import type { JoinAnswer, JoinRequest, SyncAnswer } from '@outbound/kafka';
import { describe, expect, it } from 'vitest';
import { Chance } from '../chance.ts';
import { Scheduler } from '../scheduler.ts';
import { kafkaCode } from './kafka-codes.ts';
import { SimulatedGroup } from './simulated-group.ts';

class Room {
  readonly scheduler = new Scheduler();
  readonly group = new SimulatedGroup({
    scheduler: this.scheduler,
    chance: new Chance('room'),
    trace: () => undefined,
    isFrozen: () => false,
    initialDelayMs: 100,
  });

  /** Joins as a process of this name does: again with the name that it is given. */
  async join(reader: string, over: Partial<JoinRequest> = {}): Promise<JoinAnswer> {
    const answer = await this.asked(reader, over);
    return answer.errorCode === kafkaCode.memberIdRequired
      ? this.asked(reader, { ...over, memberId: answer.memberId })
      : answer;
  }

  asked(reader: string, over: Partial<JoinRequest> = {}): Promise<JoinAnswer> {
    const request: JoinRequest = {
      memberId: '',
      groupInstanceId: undefined,
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 10_000,
      protocols: [{ name: 'sticky', metadata: Buffer.from('x') }],
      ...over,
    };
    return new Promise((resolve) => this.group.join(reader, request, resolve));
  }

  sync(joined: JoinAnswer, shares: Record<string, string> = {}): Promise<SyncAnswer> {
    return new Promise((resolve) =>
      this.group.sync(
        this.identity(joined),
        Object.entries(shares).map(([memberId, share]) => ({
          memberId,
          assignment: Buffer.from(share),
        })),
        resolve,
      ),
    );
  }

  identity({ memberId, generationId }: JoinAnswer, groupInstanceId?: string) {
    return { memberId, generationId, groupInstanceId };
  }

  /** Lets virtual time pass until the promise has settled. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.scheduler.run(this.scheduler.nowMs + 60_000, () => isSettled);
    return promise;
  }

  /** Two members in a stable generation. */
  async pair(over: (name: string) => Partial<JoinRequest> = () => ({})) {
    const [a, b] = await this.settled(
      Promise.all([this.join('a', over('a')), this.join('b', over('b'))]),
    );
    const leader = a.leaderId === a.memberId ? a : b;
    const follower = leader === a ? b : a;
    const synced = Promise.all([
      this.sync(follower),
      this.sync(leader, { [leader.memberId]: 'L', [follower.memberId]: 'F' }),
    ]);
    const [f] = await this.settled(synced);
    expect(f.assignment.toString()).toBe('F');
    return { leader, follower };
  }
}

describe('a simulated group', () => {
  it('gives a name first, then a generation with everybody for the leader only', async () => {
    const room = new Room();
    const { leader, follower } = await room.pair();
    expect(leader.generationId).toBe(1);
    expect(leader.members).toHaveLength(2);
    expect(follower.members).toHaveLength(0);
    expect(room.group.heartbeat(room.identity(leader))).toBe(0);
  });

  it('throws out who is not heard of, and fences its commits', async () => {
    const room = new Room();
    const { leader, follower } = await room.pair();
    await room.scheduler.run(room.scheduler.nowMs + 5000);
    expect(room.group.heartbeat(room.identity(leader))).toBe(0);
    await room.scheduler.run(room.scheduler.nowMs + 2000);
    expect(room.group.heartbeat(room.identity(leader))).toBe(kafkaCode.rebalanceInProgress);
    expect(room.group.mayCommit(room.identity(leader))).toBe(0);
    expect(room.group.mayCommit(room.identity(follower))).toBe(kafkaCode.unknownMemberId);
    const again = await room.settled(room.asked('a', { memberId: leader.memberId }));
    expect(again.generationId).toBe(2);
    expect(room.group.mayCommit(room.identity(leader))).toBe(kafkaCode.illegalGeneration);
    expect(room.group.mayCommit(room.identity(again))).toBe(kafkaCode.rebalanceInProgress);
  });

  it('gives a follower that says nothing new its generation again, and a leader a rebalance', async () => {
    const room = new Room();
    const { leader, follower } = await room.pair();
    const again = await room.settled(room.asked('b', { memberId: follower.memberId }));
    expect(again.generationId).toBe(1);
    const rejoined = room.asked('a', { memberId: leader.memberId });
    expect(room.group.heartbeat(room.identity(follower))).toBe(kafkaCode.rebalanceInProgress);
    await room.settled(Promise.all([rejoined, room.asked('b', { memberId: follower.memberId })]));
    expect(room.group.generation).toBe(2);
  });

  it('lets a static member take its place again without a rebalance, and fences the old one', async () => {
    const room = new Room();
    const { leader, follower } = await room.pair((name) => ({ groupInstanceId: `i-${name}` }));
    const name = follower.memberId.startsWith('b') ? 'b' : 'a';
    const back = await room.settled(room.asked(`${name}2`, { groupInstanceId: `i-${name}` }));
    expect(back.generationId).toBe(1);
    expect(back.memberId).not.toBe(follower.memberId);
    expect(room.group.heartbeat(room.identity(follower, `i-${name}`))).toBe(
      kafkaCode.fencedInstanceId,
    );
    const synced = await room.settled(room.sync(back));
    expect(synced.assignment.toString()).toBe('F');
    expect(room.group.heartbeat(room.identity(leader))).toBe(0);
  });

  it('forgets a generation that was not stable when its coordinator moves', async () => {
    const room = new Room();
    const { leader, follower } = await room.pair();
    const joins = Promise.all([
      room.asked('a', { memberId: leader.memberId }),
      room.asked('b', { memberId: follower.memberId }),
    ]);
    const [next] = await room.settled(joins);
    expect(next.generationId).toBe(2);
    room.group.unload();
    room.group.load();
    expect(room.group.mayCommit(room.identity(next))).toBe(kafkaCode.illegalGeneration);
    expect(room.group.mayCommit(room.identity(leader))).toBe(0);
    const synced = await room.settled(room.sync(leader));
    expect(synced.assignment.toString()).toBe('L');
  });

  it('goes on without who has not joined in time, unless it is static', async () => {
    const room = new Room();
    const { leader, follower } = await room.pair();
    const again = room.asked('a', { memberId: leader.memberId });
    const beat = setBeat(room, follower);
    const joined = await room.settled(again);
    beat.isOver = true;
    expect(joined.members).toHaveLength(1);
    expect(room.group.heartbeat(room.identity(follower))).toBe(kafkaCode.unknownMemberId);
  });
});

/** Heartbeats of a member that never joins again. */
function setBeat(room: Room, member: JoinAnswer): { isOver: boolean } {
  const beating = { isOver: false };
  const tick = (): void => {
    if (beating.isOver) return;
    room.group.heartbeat(room.identity(member));
    room.scheduler.after(1000, tick);
  };
  tick();
  return beating;
}
