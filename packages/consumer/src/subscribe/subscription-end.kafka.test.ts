import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  startTestGroups,
  type NoteEvent,
  type TestGroups,
} from '../../test-support/test-groups.ts';

let groups: TestGroups;
beforeAll(async () => {
  groups = await startTestGroups();
});
afterAll(async () => groups?.[Symbol.asyncDispose]());
afterEach(async () => groups.stopMembers());

describe('a subscription that cannot go on', () => {
  it('refuses a topic or dead-letter topic that does not exist, and creates none', async () => {
    const topic = await groups.newTopic();
    const missing = `missing-${randomUUID()}`;
    const handle = () => undefined;
    await expect(groups.join({ topic: missing, groupId: 'g', handle })).rejects.toMatchObject({
      code: 'TOPIC_MISSING',
    });
    await expect(
      groups.join({
        topic,
        groupId: 'g',
        handle,
        onPoison: { then: 'dead-letter', topic: missing, laterEvents: { policy: 'continue' } },
      }),
    ).rejects.toMatchObject({ code: 'DEAD_LETTER_TOPIC_MISSING' });
    expect(await groups.admin.listTopics()).not.toContain(missing);
  });

  it('ends loudly when a handler takes longer than it may', async () => {
    const topic = await groups.newTopic();
    await groups.write(topic, [['a', 1]]);
    let aborted = false;
    const subscription = await groups.join({
      topic,
      groupId: randomUUID(),
      handlerTimeoutMs: 200,
      stopTimeoutMs: 500,
      handle: async (_, { signal }) => {
        signal.addEventListener('abort', () => (aborted = true));
        await new Promise(() => undefined);
      },
    });
    await expect(subscription.done).rejects.toMatchObject({ code: 'HANDLER_TIMEOUT' });
    expect(aborted).toBe(true);
  });

  it('ends loudly when the client crashes for good', async () => {
    const topic = await groups.newTopic();
    // A codec that kafkajs has not: it crashes there and does not start again (trap 3.1-14).
    const subscription = await groups.join({
      topic,
      groupId: randomUUID(),
      handle: () => undefined,
    });
    const compressed = await groups.newTopic({ config: { 'compression.type': 'zstd' } });
    await groups.write(compressed, [['a', 1]]);
    const crashing = await groups.join({
      topic: compressed,
      groupId: randomUUID(),
      handle: () => undefined,
    });
    await expect(crashing.done).rejects.toMatchObject({ code: 'CONSUMER_CRASHED' });
    expect(crashing.state).toBe('ended');
    expect(subscription.state).toBe('running');
  });

  it('says so when retention has overtaken its group, and goes on from what is there', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: (number | undefined)[] = [];
    const handle = ({ version }: NoteEvent) => void seen.push(version);
    await groups.write(topic, [['a', 1]]);
    const first = await groups.join({ topic, groupId, handle });
    await eventually(() => seen.length === 1);
    await first.stop();
    await groups.write(
      topic,
      [2, 3, 4].map((version) => ['a', version] as const),
    );
    const directory = await mkdtemp(join(tmpdir(), 'subscription-end-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const plan = join(directory, 'records.json');
    await writeFile(
      plan,
      JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 3 }] }),
    );
    const deleted = await groups.cluster.tool('delete-records', ['--offset-json-file', plan]);
    expect(deleted).toMatchObject({ code: 0 });
    const second = await groups.join({ topic, groupId, handle });
    await eventually(() => seen.length === 2, { timeoutMs: 30_000 });
    expect(seen).toEqual([1, 4]);
    expect(second.counts.gaps).toBe(1);
    expect(second.lines).toContainEqual({
      message: expect.stringContaining('events were removed') as string,
      fields: expect.objectContaining({ topic, partition: 0 }) as object,
    });
  });

  it('goes on by itself when Kafka was away for a while', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: (number | undefined)[] = [];
    const handle = ({ version }: NoteEvent) => void seen.push(version);
    const subscription = await groups.join({ topic, groupId, handle });
    await groups.write(topic, [['a', 1]]);
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 1);
    const broker = groups.cluster.broker(1);
    await broker.kill();
    await eventually(() => subscription.state === 'restarting', { timeoutMs: 60_000 });
    await broker.start();
    await eventually(() => groups.write(topic, [['a', 2]]).then(() => true), { timeoutMs: 60_000 });
    await eventually(() => seen.includes(2), { timeoutMs: 60_000 });
    expect(subscription.state).toBe('running');
    expect(seen).toEqual([1, 2]);
  });

  it('ends loudly when nothing is heard of the client any more', async () => {
    const topic = await groups.newTopic();
    const subscription = await groups.join({
      topic,
      groupId: randomUUID(),
      stallLimitMs: 2_000,
      stopTimeoutMs: 1_000,
      handle: () => undefined,
    });
    const broker = groups.cluster.broker(1);
    await broker.pause();
    try {
      await expect(subscription.done).rejects.toMatchObject({ code: 'CONSUMER_STALLED' });
    } finally {
      await broker.resume();
    }
  });
});
