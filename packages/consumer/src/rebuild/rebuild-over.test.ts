import type { Clock } from '@outbound/service-kit';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConsumerError } from '../errors.ts';
import { createMemoryStore, type MemoryStore } from '../stores/memory-store.ts';
import type { StateStore } from '../stores/state-store.ts';
import type { ReadTopic } from './read-topic.ts';
import type { RebuildWithOptions } from './rebuild-options.ts';
import { rebuildOver } from './rebuild-over.ts';
import { FakeTopic } from './test-support/fake-topic.ts';

let nowMs: number;
let topic: FakeTopic;
let store: MemoryStore;
let told: string[];
beforeEach(() => {
  nowMs = 1_000_000;
  topic = new FakeTopic(() => nowMs);
  store = createMemoryStore();
  told = [];
});

const clock: Clock = {
  nowMs: () => nowMs,
  wallMs: () => nowMs,
  sleep: () => Promise.resolve(),
};

/**
 * The store, over which a server seems to crash that did not wait for its disk: `lose` takes back what came since
 * `keep`.
 */
function losingStore() {
  let kept: MemoryStore = createMemoryStore();
  let isLost = false;
  const requireAll = () => {
    if (isLost) throw new ConsumerError('STORE_WENT_BACK', 'the store is behind');
  };
  const copyOf = async (from: MemoryStore) => {
    const copy = createMemoryStore();
    const entries = Array.from(from.entries(), ([key, state]) => ({
      ...{ key, partition: 0, offset: 0n },
      ...state,
    }));
    await copy.applyBatch({ entries, positions: [] });
    copy.setPositions(await from.positions());
    return copy;
  };
  return {
    keep: async () => void (kept = await copyOf(store)),
    lose: () => void (isLost = true),
    store: {
      ...store,
      async positions() {
        if (isLost) store = await copyOf(kept);
        isLost = false;
        return store.positions();
      },
      async applyBatch(batch) {
        requireAll();
        await store.applyBatch(batch);
      },
      async confirm(atMs) {
        requireAll();
        await store.confirm(atMs);
      },
      clear: (atMs) => store.clear(atMs),
    } satisfies StateStore,
  };
}

const rebuild = (read: ReadTopic, options: Partial<RebuildWithOptions> = {}) =>
  rebuildOver(
    { read, clock },
    {
      ...{ topic: 't', store, follow: false, tombstonesLiveMs: 1000 },
      onBegin: (plan) => void told.push(plan.from === 'positions' ? plan.from : plan.why),
      onCaughtUp: () => void told.push('caught up'),
      ...options,
    },
  );
const keys = () => [...store.entries()].map(([key]) => key).sort();

describe('a rebuild in progress', () => {
  it('begins again when it was suspended for longer than deletions are kept, and keeps no dead key', async () => {
    topic.append('dead', 1);
    topic.append('alive', 1);
    topic.append('dead', null);
    topic.append('last', 1);
    const read = topic.reader((step) => {
      if (step !== 1) return;
      nowMs += 1000;
      topic.compact();
    });
    await rebuild(read);
    expect(keys()).toEqual(['alive', 'last']);
    expect(told).toEqual(['empty', 'tombstones-may-be-gone', 'caught up']);
  });

  it('notices that also where nothing is left to be read behind the pause', async () => {
    topic.append('dead', 1);
    topic.append('dead', null);
    const read = topic.reader((step) => {
      if (step !== 1) return;
      nowMs += 1000;
      topic.compact();
    });
    await rebuild(read);
    expect(keys()).toEqual([]);
    expect(told).toEqual(['empty', 'tombstones-may-be-gone', 'caught up']);
  });

  it('goes on after a pause that was short enough', async () => {
    topic.append('dead', 1);
    topic.append('dead', null);
    await rebuild(topic.reader((step) => void (nowMs += step === 1 ? 999 : 0)));
    expect(told).toEqual(['empty', 'caught up']);
  });

  it('begins again after a pause while it follows, and only if something came meanwhile', async () => {
    topic.append('dead', 1);
    const quiet = topic.reader((step) => void (nowMs += step === 2 ? 5000 : 10));
    await rebuild(quiet, { follow: true });
    expect(told).toEqual(['empty', 'caught up', 'positions', 'caught up']);
    told = [];
    const busy = topic.reader((step) => {
      nowMs += step === 1 ? 5000 : 10;
      if (step !== 1) return;
      topic.append('dead', null);
      topic.append('new', 1);
      topic.compact();
    });
    await rebuild(busy, { follow: true });
    expect(told).toEqual(['positions', 'caught up', 'tombstones-may-be-gone', 'caught up']);
    expect(keys()).toEqual(['new']);
  });

  it('names the ends that it reached, and not that of a partition that was added meanwhile', async () => {
    topic.append('a', 1);
    const read = topic.reader();
    const growing: ReadTopic = (options) =>
      read({
        ...options,
        onCaughtUp: (summary) => {
          const added = { topic: 't', partition: 1, low: 0n, high: 7n };
          return options.onCaughtUp?.({ ...summary, partitions: [...summary.partitions, added] });
        },
      });
    let reached: unknown;
    await rebuild(growing, { onCaughtUp: ({ partitions }) => void (reached = partitions) });
    expect(reached).toEqual([expect.objectContaining({ partition: 0, high: 1n })]);
  });

  it('gives up in one sentence where no reading could be quick enough', async () => {
    topic.append('a', 1);
    topic.append('b', 1);
    await expect(rebuild(topic.reader(() => void (nowMs += 1000)))).rejects.toMatchObject({
      code: 'REBUILD_OVERTAKEN',
      message: expect.stringContaining('t to its end took longer than the 1000 ms') as string,
    });
    expect(told).not.toContain('caught up');
  });

  it('begins again over records that retention removed before they were read, and keeps no dead key', async () => {
    for (const key of ['dead', 'old', 'a']) topic.append(key, 1);
    topic.append('dead', null);
    topic.append('old', 2);
    topic.append('last', 1);
    const read = topic.reader((step) => {
      if (step === 2) topic.retain(5n);
    });
    await rebuild(read);
    expect(keys()).toEqual(['last']);
    expect(told).toEqual(['empty', 'records-removed', 'caught up']);
  });

  it('does so while it follows too, and each time', async () => {
    topic.append('dead', 1);
    const read = topic.reader((step) => {
      if (step !== 1 && step !== 5) return;
      topic.append('dead', step === 1 ? null : 4);
      topic.append(`new${step}`, 1);
      topic.retain(topic.end - 1n);
    });
    await rebuild(read, { follow: true });
    expect(keys()).toEqual(['new5']);
    expect(told).toEqual([
      ...['empty', 'caught up', 'records-removed', 'caught up'],
      ...['records-removed', 'caught up'],
    ]);
  });

  it('begins again where retention removed what came while it was away', async () => {
    topic.append('dead', 1);
    await rebuild(topic.reader());
    topic.append('dead', null);
    topic.append('last', 1);
    topic.retain(2n);
    await rebuild(topic.reader());
    expect(keys()).toEqual(['last']);
    expect(told).toEqual(['empty', 'caught up', 'records-removed', 'caught up']);
  });

  it('goes on where retention removed what nothing was read of yet: nothing is missing then', async () => {
    for (const key of ['a', 'b', 'c']) topic.append(key, 1);
    await rebuild(topic.reader((step) => topic.retain(BigInt(Math.min(step + 1, 2)))));
    expect(keys()).toEqual(['c']);
    expect(told).toEqual(['empty', 'caught up']);
  });

  it('gives up in one sentence where retention is always faster than it', async () => {
    for (const key of ['a', 'b']) topic.append(key, 1);
    const read = topic.reader((step) => {
      if (step % 2 === 0) return;
      topic.retain(topic.end);
      for (const key of ['a', 'b']) topic.append(key, step);
    });
    await expect(rebuild(read)).rejects.toMatchObject({
      code: 'REBUILD_OVERTAKEN',
      message: expect.stringContaining('retention removed records of t') as string,
    });
    expect(told).not.toContain('caught up');
  });

  it('begins again in a topic that is made again under it', async () => {
    topic.append('old', 1);
    topic.append('older', 1);
    const read = topic.reader((step) => {
      if (step !== 1) return;
      topic.makeAgain('second', ['x', 'y', 'z']);
    });
    await rebuild(read);
    expect(keys()).toEqual(['x', 'y', 'z']);
    expect(told).toEqual(['empty', 'topic-made-again', 'caught up']);
  });

  it('says where it goes on in another run, and does not take another topic for its own', async () => {
    topic.append('a', 1);
    await rebuild(topic.reader());
    topic.append('b', 1);
    await rebuild(topic.reader());
    topic.makeAgain('second', ['x', 'y', 'z']);
    await rebuild(topic.reader());
    topic.end = 2n;
    await rebuild(topic.reader());
    expect(told.filter((each) => each !== 'caught up')).toEqual([
      'empty',
      'positions',
      'topic-made-again',
      'topic-lost-records',
    ]);
    expect(keys()).toEqual(['x', 'y']);
  });

  it('rejects with what the broker says where it refuses again and again', async () => {
    const refused: ReadTopic = () =>
      Promise.reject(new ConsumerError('POSITION_UNKNOWN', 'no such offset'));
    await expect(rebuild(refused)).rejects.toThrow('no such offset');
  });

  it('goes on from what is there when the store has lost its last steps, while something comes and while nothing does', async () => {
    for (const key of ['a', 'b']) topic.append(key, 1);
    const losing = losingStore();
    const read = topic.reader(async (step) => {
      if (step === 1) await losing.keep();
      if (step === 2 || step === 5) losing.lose();
      if (step === 2) topic.append('c', 1);
    });
    await rebuild(read, { store: losing.store, follow: true });
    expect(told).toEqual([
      'empty',
      'caught up',
      'positions',
      'caught up',
      'positions',
      'caught up',
    ]);
    expect(keys()).toEqual(['a', 'b', 'c']);
  });

  it('ends in one sentence where the store loses its last steps again and again', async () => {
    for (const key of ['a', 'b', 'c']) topic.append(key, 1);
    const losing = losingStore();
    await losing.keep();
    const read = topic.reader((step) => void (step % 2 === 1 && losing.lose()));
    await expect(rebuild(read, { store: losing.store })).rejects.toMatchObject({
      code: 'STORE_WENT_BACK',
    });
    expect(told).toEqual(['empty', 'empty', 'empty']);
  });

  it('ends with what the store has failed with, and not before its step has ended', async () => {
    topic.append('a', 1);
    topic.append('b', 1);
    const failing = { ...store, applyBatch: () => Promise.reject(new Error('disk full')) };
    await expect(rebuild(topic.reader(), { store: failing, follow: true })).rejects.toThrow(
      'disk full',
    );
    expect(told).toEqual(['empty']);
  });

  it('resolves with everything in the store when it is told to stop', async () => {
    for (const key of ['a', 'b', 'c']) topic.append(key, 1);
    const stop = new AbortController();
    await rebuild(
      topic.reader((step) => void (step === 2 && stop.abort())),
      { signal: stop.signal },
    );
    expect(keys()).toEqual(['a', 'b', 'c']);
    expect(told).toEqual(['empty']);
  });
});
