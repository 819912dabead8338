import { randomUUID } from 'node:crypto';
import { dataChangeEvent, recordHeader } from '@outbound/contract';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { eventually } from '../../../../test/support/eventually.ts';
import { makeTopic } from '../../../../test/support/make-topic.ts';
import { note, noteValue } from '../../test-support/notes.ts';
import {
  gate,
  startTestGroups,
  type NoteEvent,
  type TestGroups,
} from '../../test-support/test-groups.ts';
import { onTopic } from './topic-handling.ts';

let groups: TestGroups;
beforeAll(async () => {
  groups = await startTestGroups();
});
afterAll(async () => groups?.[Symbol.asyncDispose]());
afterEach(async () => groups.stopMembers());

describe('the topics of a subscription', () => {
  it('are several, each with its own typed handler, single or in batches', async () => {
    const count = dataChangeEvent({
      dataType: 'test.count',
      version: '1.0.0',
      owner: 'tests',
      data: z.strictObject({ id: z.string(), version: z.int(), amount: z.int() }),
      partitions: 1,
    });
    const notes = await groups.newTopic({ partitions: 2 });
    const counts = await groups.newTopic();
    const groupId = randomUUID();
    const seen: string[] = [];
    const amounts: number[] = [];
    await groups.join({
      groupId,
      topics: [
        onTopic({
          topic: notes,
          eventType: note,
          handle: ({ data }) => void seen.push(data?.id ?? ''),
        }),
        onTopic({
          topic: counts,
          eventType: count,
          handleBatch: (events) =>
            void amounts.push(...events.map(({ data }) => data?.amount ?? 0)),
          batch: { maxEvents: 10, maxBytes: 1 << 20, maxWaitMs: 20 },
        }),
      ],
    });
    await groups.write(notes, [['a', 1]], 0);
    await groups.write(notes, [['b', 1]], 1);
    await groups.producer.send({
      topic: counts,
      messages: [
        {
          key: 'c',
          value: JSON.stringify({
            metadata: {
              eid: randomUUID(),
              event_type: count.name,
              occurred_at: '2026-01-01T00:00:00.000Z',
              version: '1.0.0',
            },
            data_op: 'C',
            data_type: 'test.count',
            data: { id: 'c', version: 1, amount: 7 },
          }),
          headers: { [recordHeader.type]: count.name },
        },
      ],
    });
    await eventually(() => seen.length === 2 && amounts.length === 1);
    expect(seen.toSorted()).toEqual(['a', 'b']);
    expect(amounts).toEqual([7]);
    await eventually(async () => (await groups.committed(groupId, counts))[0] === 1);
  });

  it('may be deleted and made again: told in one sentence, and read from the beginning, whatever was committed', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: (number | undefined)[] = [];
    const handle = ({ version }: NoteEvent) => void seen.push(version);
    const subscription = await groups.join({ topic, groupId, from: 'end', handle });
    await eventually(() => subscription.partitions.length === 1);
    await groups.write(
      topic,
      [1, 2, 3].map((version) => ['a', version] as const),
    );
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 3);
    await groups.admin.deleteTopics({ topics: [topic] });
    await eventually(() => subscription.state === 'waiting', { timeoutMs: 30_000 });
    await makeTopic(groups.admin, { topic, numPartitions: 2 });
    // One that knows nothing of the old topic.
    const producer = groups.kafka.producer();
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    for (const partition of [0, 1]) {
      const messages = [{ partition, key: 'a', value: noteValue('a', 10 + partition) }];
      await eventually(() => producer.send({ topic, messages }).then(() => true));
    }
    await eventually(() => seen.length === 5, { timeoutMs: 30_000 });
    expect(seen.slice(3).toSorted()).toEqual([10, 11]);
    await eventually(() => subscription.state === 'running');
    const told = subscription.lines.filter(({ message }) => message.includes(`the topic ${topic}`));
    expect(told.length).toBeLessThanOrEqual(2);
    expect(told.at(-1)?.message).toContain('made again');
  });

  it('may be made again while a partition is held back: nothing of the new one comes before its beginning', async () => {
    const topic = await groups.newTopic();
    const keys = ['a', 'b', 'c', 'd'];
    const notesOf = (versions: readonly number[]) =>
      versions.flatMap((version) => keys.map((key) => [key, version] as const));
    await groups.write(topic, notesOf([1, 2, 3]));
    const { opened, open } = gate();
    const seen: string[] = [];
    await groups.join({
      topic,
      groupId: randomUUID(),
      // Full with the first fetch, until handlers end.
      maxWaiting: { maxEvents: 4 },
      handle: async ({ key, version }) => {
        seen.push(`${key}${version}`);
        await opened;
      },
    });
    await eventually(() => seen.length === keys.length);
    await groups.admin.deleteTopics({ topics: [topic] });
    // A name is free again when its deletion has gone around.
    await eventually(() =>
      groups.admin
        .createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] })
        .catch(() => false),
    );
    const producer = groups.kafka.producer();
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    const again = notesOf([11, 12, 13, 14, 15]);
    const messages = again.map(([key, version]) => ({ key, value: noteValue(key, version) }));
    await eventually(() => producer.send({ topic, messages }).then(() => true));
    open();
    await eventually(() => seen.filter((each) => each.length === 3).length >= again.length, {
      timeoutMs: 40_000,
    });
    const ofTheNew = seen.filter((each) => each.length === 3);
    expect(ofTheNew).toEqual(again.map(([key, version]) => `${key}${version}`));
  });

  it('may be deleted for good: then it ends', async () => {
    const topic = await groups.newTopic();
    const subscription = await groups.join({
      topic,
      groupId: randomUUID(),
      topicGoneLimitMs: 1_000,
      handle: () => undefined,
    });
    await eventually(() => subscription.partitions.length === 1);
    await groups.admin.deleteTopics({ topics: [topic] });
    await expect(subscription.done).rejects.toMatchObject({
      code: 'TOPIC_MISSING',
      message: expect.stringContaining(topic) as string,
    });
  });

  it('may grow: the new partitions are read from their beginning, and the others are not interrupted', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: (number | undefined)[] = [];
    const subscription = await groups.join({
      topic,
      groupId,
      from: 'end',
      handle: ({ version }) => void seen.push(version),
    });
    await eventually(() => subscription.partitions.length === 1);
    await groups.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    for (const partition of [1, 2])
      await eventually(() => groups.write(topic, [['a', partition]], partition).then(() => true));
    await eventually(() => seen.length === 2, { timeoutMs: 60_000 });
    expect(seen.toSorted()).toEqual([1, 2]);
    expect(subscription.counts.losses).toBe(0);
  });
});
