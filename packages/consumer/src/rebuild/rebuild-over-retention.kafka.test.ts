import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryStore, type MemoryStore } from '../stores/memory-store.ts';
import type { StateStore } from '../stores/state-store.ts';
import {
  append,
  connectionTo,
  newTopic,
  removeBefore,
} from '../topic-reader/test-support/test-topics.ts';
import { rebuildAndFollow } from './rebuild-and-follow.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({});
});
afterAll(() => kafka.close());

let told: string[];
const rebuild = (topic: string, store: StateStore) => {
  told = [];
  return rebuildAndFollow({
    connection: connectionTo(kafka),
    ...{ topic, store, follow: false },
    onBegin: (plan) => void told.push(plan.from === 'positions' ? plan.from : plan.why),
    onCaughtUp: () => void told.push('caught up'),
  });
};
const compactedAndRetained = () =>
  newTopic(kafka, { partitions: 1, configs: { 'cleanup.policy': 'compact,delete' } });
const state = (key: string, version: number, pad = '') => ({
  key,
  value: JSON.stringify({ data: { version }, pad }),
});
const versions = (store: MemoryStore) =>
  Object.fromEntries([...store.entries()].map(([key, { version }]) => [key, version] as const));

describe('a rebuild that retention overtakes', () => {
  it('keeps no key whose deletion was removed while it was away, nor an older version', async () => {
    const topic = await compactedAndRetained();
    await append(kafka, topic, [state('dead', 1), state('old', 1)]);
    const store = createMemoryStore();
    await rebuild(topic, store);
    await append(kafka, topic, [
      ...[state('x', 1), { key: 'dead', value: null }, state('old', 2)],
      state('last', 1),
    ]);
    await removeBefore(kafka, topic, 5);
    await rebuild(topic, store);
    expect(told).toEqual(['records-removed', 'caught up']);
    expect(versions(store)).toEqual({ last: 1 });
  });

  it('keeps none whose deletion was removed while it was under way', async () => {
    const topic = await compactedAndRetained();
    // More than is read ahead of a store that is slow.
    const pad = 'x'.repeat(50_000);
    await append(kafka, topic, [state('dead', 1)]);
    for (let part = 0; part < 40; part += 1)
      await append(
        kafka,
        topic,
        Array.from({ length: 15 }, (_, index) => state(`k${part}-${index}`, 1, pad)),
      );
    await append(kafka, topic, [{ key: 'dead', value: null }]);
    await append(kafka, topic, [state('last', 1)]);
    const store = createMemoryStore();
    let isFirst = true;
    const slow: StateStore = {
      ...store,
      applyBatch: async (batch) => {
        await store.applyBatch(batch);
        if (isFirst) await removeBefore(kafka, topic, 602);
        isFirst = false;
      },
    };
    await rebuild(topic, slow);
    expect(told).toEqual(['empty', 'records-removed', 'caught up']);
    expect(versions(store)).toEqual({ last: 1 });
  });
});
