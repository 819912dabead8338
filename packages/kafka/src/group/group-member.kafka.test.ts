import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { systemClock } from '@outbound/service-kit';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { partitionKey } from '../ports/partition.ts';
import { openKafkaReads } from '../reads/open-kafka-reads.ts';
import { anyName, connectionTo, silentLog, Stranger } from '../test-support/test-topics.ts';
import type { GroupMemberOptions } from './group-member-options.ts';
import { GroupMember } from './group-member.ts';

let kafka: KafkaCluster;
let stranger: Stranger;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
  stranger = new Stranger(kafka.bootstrap);
});
afterAll(async () => {
  await stranger.close();
  await kafka.close();
});

const within = { timeoutMs: 60_000 };

/** A member on the real broker, whose owner writes down what it is told. */
async function start(
  groupId: string,
  topics: readonly string[],
  options: Partial<GroupMemberOptions> = {},
) {
  const reads = await openKafkaReads(connectionTo(kafka.bootstrap), silentLog);
  const told: string[] = [];
  const owned = new Map<string, bigint>();
  const said: string[] = [];
  const failures: Error[] = [];
  const say = (_: object, message: string): void => void said.push(message);
  const member = new GroupMember({
    coordinator: reads.group(groupId),
    log: reads.log,
    clock: systemClock,
    random: Math.random,
    topics,
    startAt: 'beginning',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    heartbeatMs: 300,
    onAssigned: (partitions) => {
      for (const partition of partitions) {
        told.push(`+${partition.partition}`);
        owned.set(partitionKey(partition), partition.offset);
      }
    },
    onRevoked: (partitions) => {
      for (const partition of partitions) {
        told.push(`-${partition.partition}`);
        owned.delete(partitionKey(partition));
      }
      return Promise.resolve();
    },
    onLost: (partitions) => {
      for (const partition of partitions) {
        told.push(`!${partition.partition}`);
        owned.delete(partitionKey(partition));
      }
    },
    onFailed: (error) => failures.push(error),
    logger: { info: say, warn: say, error: say },
    ...options,
  });
  const stop = new AbortController();
  const done = member.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await done;
    await reads.close();
  };
  onTestFinished(end);
  return {
    member,
    told,
    owned,
    said,
    failures,
    end,
    done,
    numbers: () => [...owned.keys()].map((key) => Number(key.split('/')[1])).sort(),
    commit: async (topic: string, partition: number, offset: bigint) =>
      member.commit([{ topic, partition, offset }]),
  };
}

it('shares a topic with one and with two others, and takes from each only what moves', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(6);
  const one = await start(group, [topic]);
  await eventually(() => one.owned.size === 6, within);
  const two = await start(group, [topic]);
  await eventually(() => one.owned.size === 3 && two.owned.size === 3, within);
  expect(one.told.filter((line) => !line.startsWith('+'))).toHaveLength(3);
  const three = await start(group, [topic]);
  await eventually(() => [one, two, three].every(({ owned }) => owned.size === 2), within);
  for (const { told } of [one, two])
    // Three away for the second member of the one, one away from each for the third.
    expect(told.filter((line) => line.startsWith('-')).length).toBe(told === one.told ? 4 : 1);
  const all = [one, two, three].flatMap(({ numbers }) => numbers()).sort();
  expect(all).toEqual([0, 1, 2, 3, 4, 5]);

  const [kept] = one.numbers();
  const before = one.told.length;
  await one.commit(topic, kept ?? 0, 5n);
  await two.end();
  await eventually(() => one.owned.size + three.owned.size === 6, within);
  expect(one.told.slice(before).every((line) => line.startsWith('+'))).toBe(true);
  await three.end();
  await eventually(() => one.owned.size === 6, within);
  expect(one.told.slice(before).every((line) => line.startsWith('+'))).toBe(true);
  await one.commit(topic, kept ?? 0, 6n);

  await one.end();
  const next = await start(group, [topic]);
  await eventually(() => next.owned.size === 6, within);
  expect(next.owned.get(`${topic}/${kept}`)).toBe(6n);
});

it('begins at the end as it was at the join, also after a crash', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(1);
  await stranger.write(topic, ['a', 'b']);
  const one = await start(group, [topic], { startAt: 'end' });
  await eventually(() => one.owned.get(`${topic}/0`) === 2n, within);
  await stranger.write(topic, ['c']);
  await one.end();
  const two = await start(group, [topic], { startAt: 'end' });
  await eventually(() => two.owned.get(`${topic}/0`) === 2n, within);
});

it('restarted as a static member gets the same again, without a rebalance', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(4);
  const one = await start(group, [topic], { groupInstanceId: 'a' });
  const two = await start(group, [topic], { groupInstanceId: 'b' });
  await eventually(() => one.owned.size === 2 && two.owned.size === 2, within);
  for (const [name, stays] of [
    ['b', one],
    ['a', undefined],
  ] as const) {
    // The second time it is the leader of the group that restarts.
    const leaves = name === 'b' ? two : one;
    const had = leaves.numbers();
    const generation = leaves.member.facts.generationId;
    const told = stays?.told.length;
    await leaves.end();
    const again = await start(group, [topic], { groupInstanceId: name });
    await eventually(() => again.owned.size === 2, within);
    expect(again.told.slice().sort()).toEqual(had.map((number) => `+${number}`).sort());
    expect(again.member.facts.generationId).toBe(generation);
    expect(stays?.told.length).toBe(told);
    const [first] = again.numbers();
    await again.commit(topic, first ?? 0, 1n);
  }
});

it('is fenced by another with its instance id, and says so', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(1);
  const one = await start(group, [topic], { groupInstanceId: 'a' });
  await eventually(() => one.owned.size === 1, within);
  const two = await start(group, [topic], { groupInstanceId: 'a' });
  await eventually(() => two.owned.size === 1, within);
  await one.done;
  expect(one.failures).toMatchObject([{ code: 'KAFKA_FENCED', kafkaCode: 82 }]);
  expect(one.told).toEqual(['+0', '!0']);
  await two.commit(topic, 0, 1n);
});

it('does not join members that only know other assignors, and says what to do', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(1);
  const other = new Kafka({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING }).consumer({
    groupId: group,
  });
  onTestFinished(async () => other.disconnect());
  await other.connect();
  await other.subscribe({ topics: [topic] });
  const isIn = new Promise((resolve) => other.on(other.events.GROUP_JOIN, resolve));
  await other.run({ eachMessage: () => Promise.resolve() });
  await isIn;
  const one = await start(group, [topic]);
  await one.done;
  expect(one.failures).toMatchObject([{ code: 'KAFKA_REJECTED', kafkaCode: 23 }]);
  expect(one.failures[0]?.message).toContain('cooperative-sticky');
});

it('goes on with the same identity, and commits, when the coordinator was away', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(3);
  // A broker's restart takes its time on a busy machine.
  const one = await start(group, [topic], { sessionTimeoutMs: 60_000 });
  await eventually(() => one.owned.size === 3, within);
  await one.commit(topic, 0, 1n);
  const { generationId, memberId } = one.member.facts;
  const broker = kafka.brokers[0];
  await broker?.stop();
  const commits = Promise.allSettled([one.commit(topic, 0, 2n), one.commit(topic, 1, 2n)]);
  await broker?.start();
  expect((await commits).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  await one.commit(topic, 2, 2n);
  expect(one.member.facts).toMatchObject({ generationId, memberId, rebalances: 1, losses: 0 });
  // Once each, in whatever order their starts were committed.
  expect(one.told.toSorted()).toEqual(['+0', '+1', '+2']);
});

it('takes up partitions that a topic is given, from their beginning', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(2);
  const one = await start(group, [topic], { startAt: 'end', topicsMs: 500 });
  await eventually(() => one.owned.size === 2, within);
  await kafka.tool('topics', ['--alter', '--topic', topic, '--partitions', '4']);
  await eventually(() => one.owned.size === 4, within);
  expect(one.told.toSorted()).toEqual(['+0', '+1', '+2', '+3']);
  expect([...one.owned.values()]).toEqual([0n, 0n, 0n, 0n]);
});

it('reads a topic that was made again from its beginning', async () => {
  const group = anyName('group');
  const topic = await stranger.topic(1);
  await stranger.write(topic, ['a', 'b', 'c']);
  const one = await start(group, [topic], { startAt: 'end', topicsMs: 500 });
  await eventually(() => one.owned.get(`${topic}/0`) === 3n, within);
  await one.commit(topic, 0, 3n);
  await stranger.delete(topic);
  await eventually(async () => (await stranger.make(topic, 1), true), within);
  await stranger.write(topic, ['d']);
  await eventually(() => one.owned.get(`${topic}/0`) === 0n, within);
  expect(one.told).toEqual(['+0', '!0', '+0']);
  expect(one.said.join()).toContain('made again');
});
