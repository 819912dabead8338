import { randomUUID } from 'node:crypto';
import { recordHeader, deadLetterHeader } from '@outbound/contract';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  startTestGroups,
  versionsOf,
  type NoteEvent,
  type TestGroups,
} from '../../test-support/test-groups.ts';
import { createMemoryParkedKeys } from '../dead-letters/parked-keys.ts';

let groups: TestGroups;
beforeAll(async () => {
  groups = await startTestGroups();
});
afterAll(async () => groups?.[Symbol.asyncDispose]());
afterEach(async () => groups.stopMembers());

describe('poison', () => {
  const failing = (seen: NoteEvent[]) => (event: NoteEvent) => {
    if (event.key === 'bad' && event.version === 1)
      throw Object.assign(new Error('cannot'), { code: 'E_BAD' });
    seen.push(event);
  };
  const readAll = async (topic: string) => {
    const letters: { key: string; value: string; headers: Record<string, string> }[] = [];
    const reader = groups.kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
    const [range] = await groups.admin.fetchTopicOffsets(topic);
    if (range?.high === range?.low) return letters;
    await reader.connect();
    await reader.subscribe({ topics: [topic], fromBeginning: true });
    await reader.run({
      eachMessage: ({ message }) => {
        letters.push({
          key: String(message.key),
          value: String(message.value),
          headers: Object.fromEntries(
            Object.entries(message.headers ?? {}).map(([name, each]) => [name, String(each)]),
          ),
        });
        return Promise.resolve();
      },
    });
    try {
      await eventually(() => letters.length >= Number(range?.high), { timeoutMs: 20_000 });
    } finally {
      await reader.disconnect();
    }
    return letters;
  };

  it.each([
    [
      'parks the later events of the key behind it',
      'park',
      [undefined],
      ['bad 1 failed', 'bad 2 parked'],
    ],
    ['lets the later events of the key pass', 'continue', [2], ['bad 1 failed']],
  ] as const)(
    'becomes a dead letter with its cause, and %s',
    async (_, policy, later, expected) => {
      const topic = await groups.newTopic();
      const dead = await groups.newTopic();
      const groupId = randomUUID();
      const seen: NoteEvent[] = [];
      await groups.write(topic, [
        ['bad', 1],
        ['bad', 2],
        ['good', 1],
      ]);
      const keys = createMemoryParkedKeys();
      const subscription = await groups.join({
        topic,
        groupId,
        onPoison: {
          then: 'dead-letter',
          topic: dead,
          laterEvents: policy === 'park' ? { policy, keys } : { policy },
        },
        handle: failing(seen),
      });
      await eventually(async () => (await groups.committed(groupId, topic))[0] === 3, {
        timeoutMs: 30_000,
      });
      expect(versionsOf(seen, 'good')).toEqual([1]);
      expect([versionsOf(seen, 'bad')[0]]).toEqual(later);
      const letters = await readAll(dead);
      expect(
        letters.map(
          ({ key, value: text, headers }) =>
            `${key} ${(JSON.parse(text) as { data: { version: number } }).data.version} ${headers[deadLetterHeader.reason]}`,
        ),
      ).toEqual(expected);
      expect(letters[0]?.headers).toMatchObject({
        [deadLetterHeader.topic]: topic,
        [deadLetterHeader.partition]: '0',
        [deadLetterHeader.offset]: '0',
        [deadLetterHeader.group]: groupId,
        [deadLetterHeader.code]: 'E_BAD',
        [deadLetterHeader.message]: 'cannot',
        [deadLetterHeader.attempts]: '3',
        [recordHeader.type]: 'test.note-change',
      });
      expect(subscription.counts.deadLetters).toBe(expected.length);
      if (policy !== 'park') return;
      // A released key is handled again, by another member too.
      await subscription.stop();
      await keys.release({ group: groupId, topic }, 'bad');
      await groups.join({
        topic,
        groupId,
        onPoison: { then: 'dead-letter', topic: dead, laterEvents: { policy, keys } },
        handle: failing(seen),
      });
      await groups.write(topic, [['bad', 3]]);
      await eventually(() => versionsOf(seen, 'bad').includes(3), { timeoutMs: 30_000 });
    },
  );

  it('of a batch is found and isolated; the others of the batch are handled', async () => {
    const topic = await groups.newTopic();
    const dead = await groups.newTopic();
    const groupId = randomUUID();
    const seen: NoteEvent[] = [];
    await groups.write(topic, [
      ['good', 1],
      ['bad', 1],
      ['good', 2],
    ]);
    await groups.join({
      topic,
      groupId,
      onPoison: { then: 'dead-letter', topic: dead, laterEvents: { policy: 'continue' } },
      handleBatch: (events) => {
        if (events.some(({ key }) => key === 'bad')) throw new Error('cannot');
        seen.push(...events);
      },
    });
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 3, {
      timeoutMs: 30_000,
    });
    expect(versionsOf(seen, 'good')).toEqual([1, 2]);
    expect((await readAll(dead)).map(({ key }) => key)).toEqual(['bad']);
  });

  it('ends the subscription loudly where no dead-letter topic is declared, and commits nothing of it', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: NoteEvent[] = [];
    await groups.write(topic, [
      ['good', 1],
      ['bad', 1],
      ['bad', 2],
    ]);
    const subscription = await groups.join({ topic, groupId, handle: failing(seen) });
    await expect(subscription.done).rejects.toMatchObject({ code: 'HANDLER_FAILED' });
    expect(versionsOf(seen, 'bad')).toEqual([]);
    expect(await groups.committed(groupId, topic)).toEqual([1]);
  });

  it('is an event that cannot be read, too: nothing is handled in its place', async () => {
    const topic = await groups.newTopic();
    const subscription = await groups.join({
      topic,
      groupId: randomUUID(),
      handle: () => undefined,
    });
    await groups.producer.send({ topic, messages: [{ key: 'a', value: '{"secret":' }] });
    await expect(subscription.done).rejects.toMatchObject({ code: 'EVENT_INVALID' });
    expect(JSON.stringify(subscription.lines)).not.toContain('secret');
  });
});
