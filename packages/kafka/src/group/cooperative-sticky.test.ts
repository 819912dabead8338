import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { Claimant } from './claims.ts';
import { cooperativeShares } from './cooperative-sticky.ts';

type Shares = ReadonlyMap<string, readonly TopicPartition[]>;

const member = (
  memberId: string,
  topics: readonly string[],
  owned: readonly TopicPartition[] = [],
  generation = 1,
): Claimant => ({ memberId, topics: new Set(topics), owned, generation });
const t = (...numbers: number[]): TopicPartition[] =>
  numbers.map((partition) => ({ topic: 't', partition }));
const names = (share: readonly TopicPartition[] | undefined): string[] =>
  (share ?? []).map(partitionKey).sort();
const sizes = (shares: Shares): number[] => [...shares.values()].map(({ length }) => length).sort();

describe('cooperative sharing', () => {
  it('gives a new member only what the others can spare, and that only after they have given it up', () => {
    const counts = new Map([['t', 6]]);
    const before = [member('a', ['t'], t(0, 1, 2, 3, 4, 5)), member('b', ['t'])];
    const first = cooperativeShares(before, counts);
    expect(first.get('a')).toHaveLength(3);
    expect(first.get('b')).toEqual([]);
    const second = cooperativeShares(
      [member('a', ['t'], first.get('a'), 2), member('b', ['t'], [], 2)],
      counts,
    );
    expect(second.get('a')).toEqual(first.get('a'));
    expect(second.get('b')).toHaveLength(3);
  });

  it('gives what a gone member had to the others at once, and leaves them what they have', () => {
    const shares = cooperativeShares(
      [member('a', ['t'], t(0, 1)), member('b', ['t'], t(2, 3))],
      new Map([['t', 6]]),
    );
    expect(names(shares.get('a'))).toEqual(expect.arrayContaining(['t/0', 't/1']));
    expect(names(shares.get('b'))).toEqual(expect.arrayContaining(['t/2', 't/3']));
    expect(sizes(shares)).toEqual([3, 3]);
  });

  it('of two claims believes the one of the higher generation', () => {
    const shares = cooperativeShares(
      [member('a', ['t'], t(0, 1), 4), member('b', ['t'], t(0, 1), 5)],
      new Map([['t', 2]]),
    );
    // One is to move to a, which has to wait for it although it claims it: b has it.
    expect(shares.get('a')).toEqual([]);
    expect(shares.get('b')).toHaveLength(1);
  });

  it('of two claims of one generation believes none, until both have given it up', () => {
    const shares = cooperativeShares(
      [member('a', ['t'], t(0), 4), member('b', ['t'], t(0), 4)],
      new Map([['t', 1]]),
    );
    expect(sizes(shares)).toEqual([0, 0]);
  });

  it('gives nobody a topic that it did not ask for, nor partitions that are not there', () => {
    const shares = cooperativeShares(
      [member('a', ['t'], [...t(0, 7), { topic: 'u', partition: 0 }]), member('b', ['u', 'none'])],
      new Map([
        ['t', 2],
        ['u', 2],
      ]),
    );
    expect(names(shares.get('a'))).toEqual(['t/0', 't/1']);
    // The other one of u is still with a, which must give it up first.
    expect(names(shares.get('b'))).toEqual(['u/1']);
  });

  it('evens shares out over a third member where two have no topic in common', () => {
    const counts = new Map([
      ['t', 3],
      ['u', 2],
    ]);
    const owned = [
      member('a', ['t'], t(0, 1, 2)),
      member(
        'b',
        ['t', 'u'],
        [
          { topic: 'u', partition: 0 },
          { topic: 'u', partition: 1 },
        ],
      ),
      member('c', ['u']),
    ];
    expect(sizes(stable(owned, counts).shares)).toEqual([1, 2, 2]);
  });

  it('whatever the group was: one owner at most at every moment, all shared after two rebalances, evenly, and then nothing moves', () => {
    fc.assert(
      fc.property(groups, ({ members, counts }) => {
        const { shares, rounds } = stable(members, counts);
        expect(rounds).toBeLessThanOrEqual(2);
        const given = [...shares.values()].flat().map(partitionKey);
        expect(new Set(given).size).toBe(given.length);
        const wanted = [...counts].filter(([topic]) =>
          members.some(({ topics }) => topics.has(topic)),
        );
        expect(given.length).toBe(wanted.reduce((sum, [, count]) => sum + count, 0));
        for (const { memberId, topics } of members)
          for (const { topic, partition } of shares.get(memberId) ?? []) {
            expect(topics.has(topic)).toBe(true);
            expect(partition).toBeLessThan(counts.get(topic) ?? 0);
          }
        for (const one of members)
          for (const other of members)
            if ([...one.topics].every((topic) => other.topics.has(topic)))
              // Whatever `one` has could be the other's.
              expect(shares.get(one.memberId)?.length ?? 0).toBeLessThanOrEqual(
                (shares.get(other.memberId)?.length ?? 0) + 1,
              );
      }),
      { numRuns: 1000 },
    );
  });

  it('with one subscription moves no more than the evening out needs', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { minLength: 1, maxLength: 6 }), fc.nat(4), (owned, free) => {
        let next = 0;
        const members = owned.map((count, index) =>
          member(`m${index}`, ['t'], t(...Array.from({ length: count }, () => next++))),
        );
        const total = next + free;
        const shares = stable(members, new Map([['t', total]])).shares;
        const floor = Math.floor(total / members.length);
        let extra = total % members.length;
        // The longest shares may stay longer by one.
        const kept = [...owned]
          .sort((a, b) => b - a)
          .reduce((sum, count) => sum + Math.min(count, extra-- > 0 ? floor + 1 : floor), 0);
        const stayed = members.reduce((sum, { memberId, owned: before }) => {
          const now = new Set(names(shares.get(memberId)));
          return sum + names(before).filter((name) => now.has(name)).length;
        }, 0);
        expect(stayed).toBe(kept);
      }),
      { numRuns: 500 },
    );
  });
});

/**
 * Rebalances until nobody has to give anything up, and once more to see that it stays. At no moment may two members have one partition
 * that neither had to begin with.
 */
function stable(
  members: readonly Claimant[],
  counts: ReadonlyMap<string, number>,
): { shares: Shares; rounds: number } {
  let now = members;
  for (let rounds = 1; ; rounds += 1) {
    const shares = cooperativeShares(now, counts);
    const holders = new Map<string, Set<string>>();
    for (const { memberId, owned } of now)
      for (const key of owned.map(partitionKey))
        holders.set(key, (holders.get(key) ?? new Set()).add(memberId));
    for (const [memberId, share] of shares)
      for (const key of share.map(partitionKey)) {
        const others = [...(holders.get(key) ?? [])].filter((holder) => holder !== memberId);
        // Who keeps it had it already; who gets it anew is alone.
        if (!holders.get(key)?.has(memberId)) expect(others).toEqual([]);
      }
    const mustGiveUp = now.some(({ memberId, owned }) => {
      const kept = new Set(names(shares.get(memberId)));
      return owned.some((partition) => !kept.has(partitionKey(partition)));
    });
    const next = now.map((one) => ({
      ...one,
      owned: shares.get(one.memberId) ?? [],
      generation: 100 + rounds,
    }));
    if (!mustGiveUp) {
      for (const [memberId, share] of cooperativeShares(next, counts))
        expect(names(share)).toEqual(names(shares.get(memberId)));
      return { shares, rounds };
    }
    expect(rounds).toBeLessThan(5);
    now = next;
  }
}

const groups = fc
  .record({
    counts: fc.array(fc.nat(7), { minLength: 1, maxLength: 4 }),
    members: fc.array(
      fc.record({
        topics: fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
        owned: fc.array(fc.tuple(fc.nat(3), fc.nat(8)), { maxLength: 8 }),
        generation: fc.integer({ min: -1, max: 3 }),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  })
  .map(({ counts, members }) => ({
    counts: new Map(counts.map((count, index) => [`t${index}`, count])),
    members: members.map(({ topics, owned, generation }, index) =>
      member(
        `m${index}`,
        topics.map((topic) => `t${topic % counts.length}`),
        [
          ...new Map(
            owned.map(([topic, partition]) => [
              `${topic}/${partition}`,
              { topic: `t${topic}`, partition },
            ]),
          ).values(),
        ],
        generation,
      ),
    ),
  }));
