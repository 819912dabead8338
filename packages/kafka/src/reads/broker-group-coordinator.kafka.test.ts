import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import type { GroupCoordinator, JoinAnswer, MemberIdentity } from '../ports/group-coordinator.ts';
import { anyName, connectionTo, silentLog, Stranger } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { openKafkaReads } from './open-kafka-reads.ts';

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

async function member(groupId: string, over: Parameters<typeof connectionTo>[1] = {}) {
  const reads = await openKafkaReads(connectionTo(kafka.bootstrap, over), silentLog);
  onTestFinished(async () => reads.close());
  return reads.group(groupId);
}

/** Version 0, one topic, no user data: a broker reads it. */
const subscription = new ByteWriter().int16(0).int32(1).string('topic').int32(-1).written();

const request = {
  memberId: '',
  groupInstanceId: undefined as string | undefined,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 20_000,
  protocols: [{ name: 'range', metadata: subscription }],
};

/** Joins as a new member: the coordinator first gives an id out. A new cluster is still making the topic of its groups. */
async function joined(coordinator: GroupCoordinator, over = {}): Promise<JoinAnswer> {
  return eventually(
    async () => {
      const first = await coordinator.join({ ...request, ...over });
      if (first.errorCode !== 79) return first.errorCode === 0 && first;
      const again = await coordinator.join({ ...request, ...over, memberId: first.memberId });
      return again.errorCode === 0 && again;
    },
    { timeoutMs: 30_000 },
  );
}

function identity(answer: JoinAnswer, groupInstanceId?: string): MemberIdentity {
  const { memberId, generationId } = answer;
  return { memberId, generationId, groupInstanceId };
}

const share = (me: MemberIdentity) => [
  { memberId: me.memberId, assignment: Buffer.from('everything') },
];

it('joins, syncs, beats, commits, reads back and leaves', async () => {
  const coordinator = await member(anyName('group'));
  const topic = await stranger.topic(2);
  const answer = await joined(coordinator);
  expect(answer).toMatchObject({ protocolName: 'range', leaderId: answer.memberId });
  expect(answer.members).toEqual([
    {
      memberId: answer.memberId,
      groupInstanceId: undefined,
      metadata: subscription,
    },
  ]);
  const me = identity(answer);
  expect(await coordinator.sync(me, share(me))).toEqual({
    errorCode: 0,
    assignment: Buffer.from('everything'),
  });
  expect(await coordinator.heartbeat(me)).toEqual({ errorCode: 0 });
  const entries = [
    { topic, partition: 1, offset: 7n, metadata: 'kept' },
    { topic, partition: 0, offset: 9_007_199_254_740_993n, metadata: '' },
  ];
  expect(await coordinator.commit(me, entries)).toEqual([
    { topic, partition: 1, errorCode: 0 },
    { topic, partition: 0, errorCode: 0 },
  ]);
  expect(
    await coordinator.committed([
      { topic, partition: 0 },
      { topic, partition: 1 },
      { topic, partition: 5 },
    ]),
  ).toEqual([
    { topic, partition: 0, errorCode: 0, offset: 9_007_199_254_740_993n, metadata: '' },
    { topic, partition: 1, errorCode: 0, offset: 7n, metadata: 'kept' },
    { topic, partition: 5, errorCode: 0, offset: -1n, metadata: '' },
  ]);
  expect(await coordinator.leave(me)).toEqual({ errorCode: 0 });
  expect(await coordinator.heartbeat(me)).toEqual({ errorCode: 25 });
});

it('is refused with another generation, and as somebody unknown, in Kafka’s own codes', async () => {
  const coordinator = await member(anyName('group'));
  const topic = await stranger.topic();
  const me = identity(await joined(coordinator));
  await coordinator.sync(me, share(me));
  const entries = [{ topic, partition: 0, offset: 1n, metadata: '' }];
  expect(await coordinator.commit({ ...me, generationId: 99 }, entries)).toEqual([
    { topic, partition: 0, errorCode: 22 },
  ]);
  expect(await coordinator.commit({ ...me, memberId: 'nobody' }, entries)).toEqual([
    { topic, partition: 0, errorCode: 25 },
  ]);
  expect(await coordinator.committed([{ topic, partition: 0 }])).toMatchObject([{ offset: -1n }]);
});

it('waits in a join for longer than for a silent broker, while it beats and commits beside it, and is woken by the other’s join', async () => {
  const group = anyName('group');
  const topic = await stranger.topic();
  const [one, two] = [
    await member(group, { silenceLimitMs: 800 }),
    await member(group, { silenceLimitMs: 800 }),
  ];
  const first = identity(await joined(one));
  await one.sync(first, share(first));
  let isIn = false;
  const joining = joined(two).finally(() => (isIn = true));
  await eventually(async () => (await one.heartbeat(first)).errorCode === 27);
  const beganMs = performance.now();
  while (performance.now() - beganMs < 2000) {
    expect((await one.heartbeat(first)).errorCode).toBe(27);
    expect(
      await one.commit(first, [{ topic, partition: 0, offset: 3n, metadata: '' }]),
    ).toMatchObject([{ errorCode: 0 }]);
  }
  expect(isIn).toBe(false);
  const again = await one.join({ ...request, memberId: first.memberId });
  expect(again.errorCode).toBe(0);
  const other = await joining;
  expect(other.generationId).toBe(again.generationId);
  expect(again.members.length + other.members.length).toBe(2);
});

it('keeps a static member’s place for its next life, and fences the one before', async () => {
  const group = anyName('group');
  const topic = await stranger.topic();
  const [before, after] = [await member(group), await member(group)];
  const instance = { groupInstanceId: 'pod-0' };
  const old = identity(await joined(before, instance), 'pod-0');
  await before.sync(old, share(old));
  const young = identity(await joined(after, instance), 'pod-0');
  expect(young.memberId).not.toBe(old.memberId);
  expect(await before.heartbeat(old)).toEqual({ errorCode: 82 });
  const entries = [{ topic, partition: 0, offset: 1n, metadata: '' }];
  expect(await before.commit(old, entries)).toMatchObject([{ errorCode: 82 }]);
  await after.sync(young, share(young));
  expect(await after.commit(young, entries)).toMatchObject([{ errorCode: 0 }]);
});

it('ends a join that waits at once when it is closed', async () => {
  const group = anyName('group');
  const [one, two] = [await member(group), await member(group)];
  const first = identity(await joined(one));
  await one.sync(first, share(first));
  const id = (await two.join(request)).memberId;
  const joining = two.join({ ...request, memberId: id });
  const ended = expect(joining).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  await eventually(async () => (await one.heartbeat(first)).errorCode === 27);
  two.close();
  await ended;
  await expect(two.heartbeat(first)).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
});

it('gives the code of a coordinator that may not be told', async () => {
  const coordinator = await member('');
  expect((await coordinator.join(request)).errorCode).toBe(24);
});
