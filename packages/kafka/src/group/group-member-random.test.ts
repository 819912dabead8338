import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import { TestMember } from './test-support/test-member.ts';
import { allPartitions, TestWorld } from './test-support/test-world.ts';

type Step =
  | { readonly do: 'start' | 'stop' | 'work' | 'rebalance'; readonly which: number }
  | { readonly do: 'cut'; readonly which: number; readonly ms: number }
  | { readonly do: 'trouble'; readonly code: number | 'silence'; readonly ms: number }
  | { readonly do: 'loseAnswer'; readonly of: 'join' | 'sync' | 'commit' | 'heartbeat' }
  | { readonly do: 'wait'; readonly ms: number };

const which = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('start' as const), which }),
  fc.record({ do: fc.constant('stop' as const), which }),
  fc.record({ do: fc.constant('work' as const), which }),
  fc.record({ do: fc.constant('rebalance' as const), which }),
  fc.record({ do: fc.constant('cut' as const), which, ms: fc.integer({ min: 100, max: 60_000 }) }),
  fc.record({
    do: fc.constant('trouble' as const),
    code: fc.constantFrom('silence' as const, 14, 15, 16),
    ms: fc.integer({ min: 100, max: 40_000 }),
  }),
  fc.record({
    do: fc.constant('loseAnswer' as const),
    of: fc.constantFrom('join' as const, 'sync' as const, 'commit' as const, 'heartbeat' as const),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 8000 }) }),
);

/** Members of one group that come, go, are cut off and work, with owners who take their time to drain. */
class Crowd {
  readonly world = new TestWorld();
  readonly members: TestMember[] = [];
  readonly faults: string[] = [];
  readonly #positions = new Map<TestMember, Map<string, bigint>>();
  #turn = 0;

  start(): void {
    const positions = new Map<string, bigint>();
    const member: TestMember = new TestMember(this.world, {
      onAssigned: (partitions) => {
        for (const { offset, ...partition } of partitions) {
          const key = partitionKey(partition);
          for (const other of this.members)
            if (other !== member && other.member.isOurs(partition))
              this.faults.push(`${key} has two owners`);
          if (offset < (this.world.group.offsets.get(key)?.offset ?? 0n))
            this.faults.push(`${key} begins before what was committed`);
          member.owned.set(key, offset);
          positions.set(key, offset);
        }
      },
    });
    this.#positions.set(member, positions);
    member.drain = async (partitions) => {
      this.#turn += 1;
      await this.world.clock.sleep((this.#turn * 777) % 3000);
      await this.#commit(member, partitions.map(partitionKey));
    };
    this.members.push(member);
  }

  /** Handles a few of each partition, and commits some. */
  work(member: TestMember): void {
    for (const key of member.partitions)
      this.#positions.get(member)?.set(key, (this.#positions.get(member)?.get(key) ?? 0n) + 3n);
    // Whether it comes to anything is the coordinator's affair.
    this.#commit(member, member.partitions.slice(0, 2)).catch(() => undefined);
  }

  async #commit(member: TestMember, keys: readonly string[]): Promise<void> {
    const positions = keys.map((key): TopicPartition & { offset: bigint } => ({
      topic: 't',
      partition: Number(key.slice(2)),
      offset: this.#positions.get(member)?.get(key) ?? 0n,
    }));
    await member.member.commit(positions).catch((error: unknown) => {
      if (!String(error).includes('nothing')) this.faults.push(String(error));
    });
  }

  async take(one: Step): Promise<void> {
    const { world } = this;
    const alive = this.members.filter(({ isDone }) => !isDone);
    const chosen = 'which' in one ? alive[one.which % Math.max(alive.length, 1)] : undefined;
    switch (one.do) {
      case 'start':
        return alive.length < 5 ? this.start() : undefined;
      case 'stop':
        return chosen?.stop();
      case 'work':
        return chosen && this.work(chosen);
      case 'rebalance':
        return world.group.state === 'Empty' ? undefined : world.group.rebalance();
      case 'cut':
        if (chosen) {
          chosen.fault.isCutOff = true;
          world.clock.after(one.ms, () => (chosen.fault.isCutOff = false));
        }
        return;
      case 'trouble':
        world.group.answerWith = one.code;
        world.clock.after(one.ms, () => (world.group.answerWith = undefined));
        return;
      case 'loseAnswer':
        world.group.losesAnswerOf = one.of;
        return;
      case 'wait':
        await world.clock.advance(one.ms);
    }
  }
}

describe('members of one group, whatever happens to them', () => {
  it('never have one partition twice, never lower a position, and share everything out when it is quiet again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const crowd = new Crowd();
        crowd.start();
        for (const one of steps) {
          await crowd.take(one);
          await crowd.world.clock.advance(50);
        }
        await crowd.world.clock.advance(200_000);
        crowd.start();
        await crowd.world.clock.advance(60_000);
        const alive = crowd.members.filter(({ isDone }) => !isDone);
        const owned = alive.flatMap(({ partitions }) => partitions).sort();
        expect(owned).toEqual(allPartitions);
        const sizes = alive.map(({ partitions }) => partitions.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        for (const member of alive) {
          crowd.work(member);
          await crowd.world.clock.advance(1000);
          member.stop();
        }
        await crowd.world.clock.advance(30_000);
        expect(crowd.members.every(({ isDone }) => isDone)).toBe(true);
        expect(crowd.members.flatMap(({ failed }) => failed ?? [])).toEqual([]);
        expect(crowd.faults.concat(crowd.world.group.faults)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
