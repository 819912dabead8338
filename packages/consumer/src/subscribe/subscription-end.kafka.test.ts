import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  gate,
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

  it.each(['signal', 'stop'] as const)(
    'says that a handler did not end in time to whoever waits for it (%s)',
    async (how) => {
      const topic = await groups.newTopic();
      await groups.write(topic, [['a', 1]]);
      const begun = gate();
      const ending = new AbortController();
      const subscription = await groups.join({
        topic,
        groupId: randomUUID(),
        stopTimeoutMs: 100,
        signal: ending.signal,
        handle: async () => {
          begun.open();
          await new Promise(() => undefined);
        },
      });
      await begun.opened;
      const late = { code: 'STOP_TIMEOUT' };
      if (how === 'signal') ending.abort();
      else await expect(subscription.stop()).rejects.toMatchObject(late);
      if (how === 'signal') await expect(subscription.done).rejects.toMatchObject(late);
      else await subscription.done;
      expect(subscription.lines.at(-1)).toMatchObject({ fields: { error: late } });
    },
  );

  it('ends loudly when another process takes its place as a static member', async () => {
    const topic = await groups.newTopic();
    const options = { topic, groupId: randomUUID(), groupInstanceId: 'one' };
    const seen: (number | undefined)[] = [];
    const first = await groups.join({ ...options, handle: () => undefined });
    await eventually(() => first.partitions.length === 1);
    const second = await groups.join({
      ...options,
      handle: ({ version }) => void seen.push(version),
    });
    await expect(first.done).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
    expect(first.state).toBe('ended');
    await groups.write(topic, [['a', 1]]);
    await eventually(() => seen.length === 1);
    expect(second.state).toBe('running');
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

  it.each([
    ['was away', 'kill'],
    ['hung', 'pause'],
  ] as const)('goes on by itself when Kafka %s for longer than the session', async (_, fault) => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: (number | undefined)[] = [];
    const stuck = gate();
    const aborted: (number | undefined)[] = [];
    const subscription = await groups.join({
      topic,
      groupId,
      handle: async ({ version }, { signal }) => {
        seen.push(version);
        if (version !== 2 || seen.length > 2) return;
        signal.addEventListener('abort', () => aborted.push(version));
        await stuck.opened;
      },
    });
    await groups.write(topic, [['a', 1]]);
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 1);
    await groups.write(topic, [
      ['a', 2],
      ['a', 3],
    ]);
    await eventually(() => seen.length === 2);
    const broker = groups.cluster.broker(1);
    await broker[fault]();
    try {
      await eventually(() => subscription.state === 'waiting', { timeoutMs: 30_000 });
      // The session is over by our own clock: what runs does not count, what waits is not begun.
      await eventually(() => aborted.length === 1, { timeoutMs: 30_000 });
      stuck.open();
      await eventually(() =>
        subscription.lines.some(({ message }) => message.startsWith('waiting for ')),
      );
      expect(seen).toEqual([1, 2]);
    } finally {
      await (fault === 'kill' ? broker.start() : broker.resume());
    }
    await eventually(() => groups.write(topic, [['a', 4]]).then(() => true), { timeoutMs: 60_000 });
    await eventually(() => seen.includes(4), { timeoutMs: 60_000 });
    expect(seen).toEqual([1, 2, 2, 3, 4]);
    expect(subscription.counts.losses).toBe(1);
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 4);
    expect(subscription.state).toBe('running');
  });
});
