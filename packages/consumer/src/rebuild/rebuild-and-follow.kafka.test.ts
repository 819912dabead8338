import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { createMemoryStore, type MemoryStore } from '../stores/memory-store.ts';
import type { StateStore } from '../stores/state-store.ts';
import {
  append,
  connectionTo,
  newTopic,
  plainClient,
} from '../topic-reader/test-support/test-topics.ts';
import { rebuildAndFollow, type RebuildOptions } from './rebuild-and-follow.ts';
import type { CaughtUp } from './rebuild-options.ts';
import type { ResumePlan } from './resume-plan.ts';
import type { RebuildProgress } from './rebuild-progress.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ settings: { 'log.cleaner.backoff.ms': '100' } });
});
afterAll(() => kafka.close());

const rebuild = (topic: string, store: StateStore, options: Partial<RebuildOptions> = {}) =>
  rebuildAndFollow({
    connection: connectionTo(kafka),
    topic,
    store,
    follow: false,
    ...options,
  });
const compacted = (partitions = 1) =>
  newTopic(kafka, {
    partitions,
    configs: {
      'cleanup.policy': 'compact',
      'segment.ms': '100',
      'min.cleanable.dirty.ratio': '0.001',
      'delete.retention.ms': '0',
    },
  });
/** Deletes the topic and makes another of the same name. */
async function makeAgain(topic: string, numPartitions: number): Promise<void> {
  const admin = plainClient(kafka).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  // The name is taken until the brokers are done with it.
  await eventually(() =>
    admin
      .createTopics({
        waitForLeaders: false,
        topics: [
          {
            topic,
            numPartitions,
            configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
          },
        ],
      })
      .catch(() => false),
  );
  await eventually(async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.every(({ leader }) => leader >= 0);
  });
  await admin.disconnect();
}
const state = (key: string, version: number) => ({
  key,
  value: JSON.stringify({ data: { version } }),
});
const tombstone = (key: string) => ({ key, value: null });
const versions = (store: MemoryStore) =>
  Object.fromEntries(
    [...store.entries()].map(([key, { version }]) => [key, version] as const).sort(),
  );

describe('rebuilding a state', () => {
  it('gives the latest state of each key, without those that were deleted', async () => {
    const topic = await compacted(3);
    await append(kafka, topic, [
      state('a', 1),
      state('b', 1),
      state('c', 1),
      state('a', 2),
      tombstone('b'),
      state('c', 1),
      state('a', 1),
      // At the end of its partition there is only this.
      state('d', 7),
      tombstone('d'),
    ]);
    const store = createMemoryStore();
    const told: CaughtUp[] = [];
    const progress: RebuildProgress[] = [];
    await rebuild(topic, store, {
      onCaughtUp: (facts) => void told.push(facts),
      onProgress: (each) => progress.push(each),
    });
    expect(versions(store)).toEqual({ a: 2, c: 1 });
    expect(told).toMatchObject([{ recordCount: 9, began: { from: 'beginning', why: 'empty' } }]);
    expect(progress.at(-1)).toMatchObject({ share: 1, secondsLeft: 0, recordCount: 9 });
  });

  it('is complete at once for an empty topic', async () => {
    const told: CaughtUp[] = [];
    await rebuild(await compacted(2), createMemoryStore(), {
      onCaughtUp: (facts) => void told.push(facts),
    });
    expect(told).toMatchObject([{ recordCount: 0, byteCount: 0 }]);
  });

  it('says at once that there is no such topic, and leaves the store alone', async () => {
    const store = createMemoryStore();
    await store.applyBatch({
      positions: [{ partition: 0, nextOffset: 1n, mark: '' }],
      entries: [{ key: 'a', version: 1, value: Buffer.from('1'), partition: 0, offset: 0n }],
    });
    await expect(rebuild('nowhere', store)).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
    expect(store.size).toBe(1);
  });

  it('catches up with a topic that compaction has left nothing of but empty batches and a last record', async () => {
    const topic = await compacted();
    for (let version = 1; version <= 3; version++)
      await append(
        kafka,
        topic,
        Array.from({ length: 30 }, (_, index) => state(`k${index}`, version)),
      );
    await append(
      kafka,
      topic,
      Array.from({ length: 30 }, (_, index) => tombstone(`k${index}`)),
    );
    let rolls = 0;
    await eventually(
      async () => {
        await append(kafka, topic, [state('roll', ++rolls)]);
        let facts: CaughtUp | undefined;
        const store = createMemoryStore();
        await rebuild(topic, store, { onCaughtUp: (each) => void (facts = each) });
        expect(versions(store)).toEqual({ roll: rolls });
        return (facts?.recordCount ?? 100) < 10;
      },
      { timeoutMs: 90_000, intervalMs: 300 },
    );
  });

  it('misses nothing that comes while it is under way, and follows without a gap', async () => {
    const topic = await compacted(2);
    await append(kafka, topic, [state('a', 1), state('b', 1)]);
    const store = createMemoryStore();
    const stop = new AbortController();
    const told: string[] = [];
    let isFirst = true;
    const watched: StateStore = {
      ...store,
      applyBatch: async (batch) => {
        if (isFirst) await append(kafka, topic, [state('a', 2), state('c', 1)]);
        isFirst = false;
        await store.applyBatch(batch);
        if (store.get('e')) stop.abort();
      },
    };
    await rebuild(topic, watched, {
      follow: true,
      signal: stop.signal,
      onCaughtUp: async () => {
        told.push('caught up');
        expect(store.get('a')).toBeDefined();
        expect(store.get('b')).toBeDefined();
        await append(kafka, topic, [tombstone('b'), state('d', 1)]);
        await append(kafka, topic, [state('e', 1)]);
      },
    });
    expect(told).toEqual(['caught up']);
    await rebuild(topic, store);
    expect(versions(store)).toEqual({ a: 2, c: 1, d: 1, e: 1 });
  });

  it('goes on from where it was killed, and reads nothing twice', async () => {
    const topic = await compacted(2);
    await append(
      kafka,
      topic,
      Array.from({ length: 100 }, (_, index) => state(`k${index}`, 1)),
    );
    const store = createMemoryStore();
    let batches = 0;
    const dying: StateStore = {
      ...store,
      applyBatch: (batch) => {
        if (++batches === 2) throw new Error('the server was killed');
        return store.applyBatch(batch);
      },
    };
    await expect(rebuild(topic, dying)).rejects.toThrow('the server was killed');
    const applied = store.size;
    expect(applied).toBeGreaterThan(0);
    await append(kafka, topic, [tombstone('k0'), state('k1', 2)]);
    const told: CaughtUp[] = [];
    await rebuild(topic, store, { onCaughtUp: (facts) => void told.push(facts) });
    expect(told).toMatchObject([{ began: { from: 'positions' }, recordCount: 102 - applied }]);
    expect(store.size).toBe(99);
    expect(store.get('k1')?.version).toBe(2);
  });

  it('begins again when deletions may have gone without a trace', async () => {
    const topic = await compacted();
    await append(kafka, topic, [state('a', 1)]);
    const store = createMemoryStore();
    await rebuild(topic, store);
    // As it would be after the tombstone of `ghost` was written, kept for its time, and removed.
    await store.applyBatch({
      positions: [],
      entries: [{ key: 'ghost', version: 1, value: Buffer.from('1'), partition: 0, offset: 0n }],
    });
    await append(kafka, topic, [state('b', 1)]);
    await store.confirm(Date.now() - 60_000);
    const told: CaughtUp[] = [];
    await rebuild(topic, store, {
      tombstonesLiveMs: 60_000,
      onCaughtUp: (facts) => void told.push(facts),
    });
    expect(told).toMatchObject([
      { began: { from: 'beginning', why: 'tombstones-may-be-gone' }, recordCount: 2 },
    ]);
    expect(versions(store)).toEqual({ a: 1, b: 1 });
  });

  it('begins again in a topic that was made again, however far the new one reaches', async () => {
    const topic = await compacted(2);
    await append(kafka, topic, [state('old', 1), state('older', 1)]);
    const store = createMemoryStore();
    await rebuild(topic, store);
    await makeAgain(topic, 2);
    await append(
      kafka,
      topic,
      Array.from({ length: 60 }, (_, index) => state(`new${index}`, 1)),
    );
    const began: ResumePlan[] = [];
    await rebuild(topic, store, { onBegin: (plan) => void began.push(plan) });
    expect(began).toEqual([{ from: 'beginning', why: 'topic-made-again' }]);
    expect(store.size).toBe(60);
    expect(store.get('old')).toBeUndefined();
    await rebuild(topic, store, { onBegin: (plan) => void began.push(plan) });
    expect(began[1]).toEqual({ from: 'positions' });
  });

  it('reads partitions that were added, from their beginning', async () => {
    const topic = await compacted(1);
    await append(kafka, topic, [state('a', 1)]);
    const store = createMemoryStore();
    await rebuild(topic, store);
    const admin = plainClient(kafka).admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
    await admin.disconnect();
    await append(
      kafka,
      topic,
      Array.from({ length: 20 }, (_, index) => ({
        ...state(`k${index}`, 1),
        partition: index % 4,
      })),
    );
    const told: CaughtUp[] = [];
    await rebuild(topic, store, { onCaughtUp: (facts) => void told.push(facts) });
    expect(told).toMatchObject([{ began: { from: 'positions' }, recordCount: 20 }]);
    expect(store.size).toBe(21);
  });

  it('follows into partitions that are added, and into the topic that takes its place', async () => {
    const topic = await compacted(1);
    await append(kafka, topic, [state('a', 1)]);
    const store = createMemoryStore();
    const stop = new AbortController();
    const began: ResumePlan[] = [];
    const following = rebuild(topic, store, {
      follow: true,
      signal: stop.signal,
      onBegin: (plan) => void began.push(plan),
    });
    await eventually(() => store.size === 1);
    const admin = plainClient(kafka).admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    await admin.disconnect();
    await append(
      kafka,
      topic,
      [0, 1, 2].map((partition) => ({ ...state(`p${partition}`, 1), partition })),
    );
    await eventually(() => store.size === 4, { timeoutMs: 30_000 });
    await makeAgain(topic, 1);
    await append(kafka, topic, [state('z', 1), state('y', 1), state('x', 1)]);
    await eventually(() => store.size === 3 && store.get('x') !== undefined, {
      timeoutMs: 30_000,
    });
    stop.abort();
    await following;
    expect(began).toEqual([
      { from: 'beginning', why: 'empty' },
      { from: 'beginning', why: 'topic-made-again' },
    ]);
  });

  it('keeps keys apart that are no text', async () => {
    const topic = await compacted();
    const keys = ['fffe0001', 'ffff0001', '00', 'efbfbd'].map((key) => Buffer.from(key, 'hex'));
    await append(
      kafka,
      topic,
      keys.map((key, index) => ({ key, value: `{"data":{"version":${index + 1}}}` })),
    );
    const store = createMemoryStore();
    await rebuild(topic, store);
    expect([...store.entries()].map(([key, { version }]) => [key, version])).toEqual([
      ['\\xfffe0001', 1],
      ['\\xffff0001', 2],
      ['\\x00', 3],
      ['\ufffd', 4],
    ]);
  });

  it('does not say that it is complete while an open transaction hides committed records', async () => {
    const topic = await compacted();
    await append(kafka, topic, [state('a', 1)]);
    const producer = plainClient(kafka).producer({
      transactionalId: topic,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [state('hides', 1)] });
    await append(kafka, topic, [state('hidden', 1)]);
    const store = createMemoryStore();
    let isComplete = false;
    const options = { onCaughtUp: () => void (isComplete = true) };
    await expect(rebuild(topic, store, { ...options, silenceMs: 1500 })).rejects.toMatchObject({
      code: 'TRANSACTION_OPEN',
    });
    expect(isComplete).toBe(false);
    const waiting = rebuild(topic, store, options);
    await transaction.abort();
    await waiting;
    await producer.disconnect();
    expect(versions(store)).toEqual({ a: 1, hidden: 1 });
    expect(isComplete).toBe(true);
  });

  it('refuses a topic of events without keys', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ key: null, value: '1' }]);
    await expect(rebuild(topic, createMemoryStore())).rejects.toMatchObject({
      code: 'STATE_UNREADABLE',
    });
  });
});
