import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  gate,
  startTestGroups,
  versionsOf,
  type NoteEvent,
  type TestGroups,
} from '../../test-support/test-groups.ts';
import type { HandlerContext } from './handler.ts';

let groups: TestGroups;
beforeAll(async () => {
  groups = await startTestGroups();
});
afterAll(async () => groups?.[Symbol.asyncDispose]());
afterEach(async () => groups.stopMembers());

describe('subscribe', () => {
  it('delivers typed events in order per key, keys in parallel, and commits what is finished', async () => {
    const topic = await groups.newTopic({ partitions: 2 });
    const groupId = randomUUID();
    const slow = gate();
    const seen: NoteEvent[] = [];
    await groups.write(
      topic,
      [
        ['slow', 1],
        ['a', 1],
        ['slow', 2],
        ['a', 2],
        ['b', 1],
      ],
      0,
    );
    const subscription = await groups.join({
      topic,
      groupId,
      handle: async (event) => {
        if (event.key === 'slow' && event.version === 1) await slow.opened;
        seen.push(event);
      },
    });
    await eventually(() => seen.length === 3);
    expect(versionsOf(seen, 'a')).toEqual([1, 2]);
    expect(versionsOf(seen, 'slow')).toEqual([]);
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 0);
    expect(await subscription.lag()).toContainEqual(
      expect.objectContaining({ partition: 0, records: 5n, seconds: expect.any(Number) as number }),
    );
    slow.open();
    await eventually(() => seen.length === 5);
    expect(versionsOf(seen, 'slow')).toEqual([1, 2]);
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 5);
    expect(await subscription.lag()).toContainEqual({
      topic,
      partition: 0,
      records: 0n,
      seconds: 0,
    });
    await subscription.stop();
    await subscription.done;
    expect(subscription.state).toBe('ended');
  });

  it('keeps its membership under a handler that takes longer than the session timeout, and delivers its event once', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: NoteEvent[] = [];
    await groups.write(topic, [
      ['slow', 1],
      ['b', 1],
    ]);
    const subscription = await groups.join({
      topic,
      groupId,
      concurrency: 1,
      handle: async (event) => {
        if (event.key === 'slow') await new Promise((resolve) => setTimeout(resolve, 9_000));
        seen.push(event);
      },
    });
    await eventually(() => seen.length === 2, { timeoutMs: 40_000 });
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 2);
    expect(seen.map(({ key }) => key)).toEqual(['slow', 'b']);
    expect(subscription.counts).toMatchObject({ rebalances: 1, losses: 0 });
  });

  it('lets what runs end and commits it before another member takes over', async () => {
    const topic = await groups.newTopic({ partitions: 2 });
    const groupId = randomUUID();
    const seen: string[] = [];
    const begun = gate();
    const slow = gate();
    const handle = (name: string) => async (event: NoteEvent) => {
      if (event.version === 1) {
        begun.open();
        await slow.opened;
      }
      seen.push(`${name} ${event.key}${event.version}`);
    };
    await groups.write(
      topic,
      [
        ['a', 1],
        ['a', 2],
      ],
      0,
    );
    await groups.write(
      topic,
      [
        ['b', 1],
        ['b', 2],
      ],
      1,
    );
    const first = await groups.join({ topic, groupId, handle: handle('first') });
    await begun.opened;
    const joining = groups.join({ topic, groupId, handle: handle('second') });
    const second = await joining;
    // The one that goes is drained; nothing is begun of it, and the other one is not interrupted.
    await eventually(() => second.partitions.length === 0 && first.counts.rebalances === 2, {
      timeoutMs: 30_000,
    });
    slow.open();
    await eventually(() => seen.length === 4, { timeoutMs: 30_000 });
    expect(
      [...seen]
        .sort()
        .map((each) => each.split(' ')[1])
        .sort(),
    ).toEqual(['a1', 'a2', 'b1', 'b2']);
    expect(seen.filter((each) => each.startsWith('first'))).toContain('first a1');
    expect([first.partitions.length, second.partitions.length]).toEqual([1, 1]);
    await eventually(async () => (await groups.committed(groupId, topic)).join() === '2,2');
  });

  it('does not count what ended after its partition was taken away', async () => {
    const topic = await groups.newTopic({ partitions: 2 });
    const groupId = randomUUID();
    const stuck = gate();
    const again = gate();
    let aborted = 0;
    let deliveries = 0;
    const handle = async (_: NoteEvent, { signal }: HandlerContext) => {
      deliveries += 1;
      signal.addEventListener('abort', () => (aborted += 1));
      await (deliveries <= 2 ? stuck : again).opened;
    };
    await groups.write(topic, [['a', 1]], 0);
    await groups.write(topic, [['b', 1]], 1);
    const first = await groups.join({ topic, groupId, rebalanceTimeoutMs: 12_000, handle });
    await eventually(() => deliveries === 2);
    await groups.join({ topic, groupId, rebalanceTimeoutMs: 12_000, handle });
    // Only what goes is abandoned; what stays runs on, and counts.
    await eventually(() => aborted === 1 && deliveries === 3, { timeoutMs: 30_000 });
    stuck.open();
    await eventually(() => first.counts.finished === 1);
    await eventually(async () => (await groups.committed(groupId, topic)).includes(1));
    expect(await groups.committed(groupId, topic)).toContain(0);
    expect(aborted).toBe(1);
    again.open();
    await eventually(async () => (await groups.committed(groupId, topic)).join() === '1,1', {
      timeoutMs: 30_000,
    });
    expect(first.counts).toMatchObject({ finished: 1, losses: 0 });
  });

  it('pauses and goes on where it stopped', async () => {
    const topic = await groups.newTopic();
    const seen: number[] = [];
    const subscription = await groups.join({
      topic,
      groupId: randomUUID(),
      maxWaiting: { maxEvents: 2, maxBytes: 1 << 20 },
      handle: ({ version }) => void seen.push(version ?? 0),
    });
    await groups.write(topic, [['a', 1]]);
    await eventually(() => seen.length === 1);
    subscription.pause();
    expect(subscription.state).toBe('paused');
    for (const version of [2, 3, 4, 5, 6, 7]) await groups.write(topic, [['a', version]]);
    await eventually(async () => (await subscription.lag())[0]?.records === 6n);
    expect(seen).toEqual([1]);
    subscription.resume();
    await eventually(() => seen.length === 7);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('hands out batches by count and by time', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const sizes: number[] = [];
    await groups.write(
      topic,
      Array.from({ length: 7 }, (_, index) => ['a', index + 1] as const),
    );
    await groups.join({
      topic,
      groupId,
      handleBatch: (events) => void sizes.push(events.length),
      batch: { maxEvents: 3, maxBytes: 1 << 20, maxWaitMs: 300 },
    });
    await eventually(() => sizes.length === 3);
    expect(sizes).toEqual([3, 3, 1]);
    await eventually(async () => (await groups.committed(groupId, topic))[0] === 7);
  });

  it('goes on from what was committed after a graceful stop, without a double', async () => {
    const topic = await groups.newTopic();
    const groupId = randomUUID();
    const seen: number[] = [];
    const handle = ({ version }: NoteEvent) => void seen.push(version ?? 0);
    await groups.write(topic, [
      ['a', 1],
      ['a', 2],
    ]);
    const first = await groups.join({ topic, groupId, commitIntervalMs: 60_000, handle });
    await eventually(() => seen.length === 2);
    await first.stop();
    await groups.write(topic, [['a', 3]]);
    await groups.join({ topic, groupId, handle });
    await eventually(() => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
  });
});
