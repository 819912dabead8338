import type { Clock } from '@outbound/service-kit';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConsumerError } from '../errors.ts';
import { createMemoryStore, type MemoryStore } from '../stores/memory-store.ts';
import type { ReadSummary } from '../topic-reader/read-topics.ts';
import type { KafkaRecord } from '@outbound/kafka';
import type { PartitionRange } from '../topic-reader/topic-record.ts';
import type { ReadTopic } from './read-topic.ts';
import type { RebuildWithOptions } from './rebuild-options.ts';
import { rebuildOver } from './rebuild-over.ts';

/** One partition of a topic, as it is now; tests change it while it is read. */
interface Topic {
  id: string | undefined;
  records: KafkaRecord[];
  end: bigint;
}

let nowMs: number;
let topic: Topic;
let store: MemoryStore;
let told: string[];
beforeEach(() => {
  nowMs = 1_000_000;
  topic = { id: 'first', records: [], end: 0n };
  store = createMemoryStore();
  told = [];
});

const clock: Clock = {
  nowMs: () => nowMs,
  wallMs: () => nowMs,
  sleep: () => Promise.resolve(),
};

function append(key: string, version: number | null): void {
  topic.records.push({
    ...{ topic: 't', partition: 0, offset: topic.end, timestampMs: nowMs },
    key: Buffer.from(key),
    value: version === null ? null : Buffer.from('{}'),
    headers: version === null ? {} : { data_version: String(version) },
    headerList: () => [],
  });
  topic.end += 1n;
}

/** What compaction leaves when it has run with all tombstones in it, and they have lived their time. */
function compact(): void {
  const last = new Map(topic.records.map((record) => [record.key?.toString(), record]));
  topic.records = topic.records.filter(
    (record) => record.value !== null && last.get(record.key?.toString()) === record,
  );
}

/** Reads the topic record by record, as `readTopics` would; `before` runs before each, with its number over all readings. */
function readerOf(before: (step: number) => void = () => undefined): ReadTopic {
  let step = 0;
  return async ({ onOpen, from, onBatch, onCaughtUp, onCurrent, signal, until }) => {
    const range: PartitionRange = {
      ...{ topic: 't', partition: 0, low: 0n, high: topic.end },
      topicId: topic.id,
    };
    await onOpen?.([range]);
    let next = from?.(range) ?? 0n;
    const isStopped = () => signal?.aborted === true;
    const { id } = topic;
    const summary = { recordCount: 0, byteCount: 0, partitions: [range] } as unknown as ReadSummary;
    const readTo = async (end: () => bigint) => {
      while (next < end() && !isStopped()) {
        before(step++);
        if (topic.id !== id || next > topic.end)
          throw new ConsumerError('POSITION_UNKNOWN', 'the topic was made anew');
        const record = topic.records.find(({ offset }) => offset >= next && offset < end());
        next = record ? record.offset + 1n : end();
        if (record) await onBatch([record]);
      }
    };
    await readTo(() => range.high);
    if (isStopped()) return summary;
    await onCaughtUp?.(summary);
    if (until === 'forever')
      for (let quiet = 0; quiet < 3 && !isStopped(); quiet += 1) {
        before(step++);
        await onCurrent?.(nowMs);
        await readTo(() => topic.end);
      }
    return summary;
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
    append('dead', 1);
    append('alive', 1);
    append('dead', null);
    append('last', 1);
    const read = readerOf((step) => {
      if (step !== 1) return;
      nowMs += 1000;
      compact();
    });
    await rebuild(read);
    expect(keys()).toEqual(['alive', 'last']);
    expect(told).toEqual(['empty', 'tombstones-may-be-gone', 'caught up']);
  });

  it('notices that also where nothing is left to be read behind the pause', async () => {
    append('dead', 1);
    append('dead', null);
    const read = readerOf((step) => {
      if (step !== 1) return;
      nowMs += 1000;
      compact();
    });
    await rebuild(read);
    expect(keys()).toEqual([]);
    expect(told).toEqual(['empty', 'tombstones-may-be-gone', 'caught up']);
  });

  it('goes on after a pause that was short enough', async () => {
    append('dead', 1);
    append('dead', null);
    await rebuild(readerOf((step) => void (nowMs += step === 1 ? 999 : 0)));
    expect(told).toEqual(['empty', 'caught up']);
  });

  it('begins again after a pause while it follows, and only if something came meanwhile', async () => {
    append('dead', 1);
    const quiet = readerOf((step) => void (nowMs += step === 2 ? 5000 : 10));
    await rebuild(quiet, { follow: true });
    expect(told).toEqual(['empty', 'caught up', 'positions', 'caught up']);
    told = [];
    const busy = readerOf((step) => {
      nowMs += step === 1 ? 5000 : 10;
      if (step !== 1) return;
      append('dead', null);
      append('new', 1);
      compact();
    });
    await rebuild(busy, { follow: true });
    expect(told).toEqual(['positions', 'caught up', 'tombstones-may-be-gone', 'caught up']);
    expect(keys()).toEqual(['new']);
  });

  it('gives up in one sentence where no reading could be quick enough', async () => {
    append('a', 1);
    append('b', 1);
    await expect(rebuild(readerOf(() => void (nowMs += 1000)))).rejects.toMatchObject({
      code: 'REBUILD_OVERTAKEN',
      message: expect.stringContaining('t to its end took longer than the 1000 ms') as string,
    });
    expect(told).not.toContain('caught up');
  });

  it('begins again in a topic that is made again under it', async () => {
    append('old', 1);
    append('older', 1);
    const read = readerOf((step) => {
      if (step !== 1) return;
      topic = { id: 'second', records: [], end: 0n };
      for (const key of ['x', 'y', 'z']) append(key, 1);
    });
    await rebuild(read);
    expect(keys()).toEqual(['x', 'y', 'z']);
    expect(told).toEqual(['empty', 'topic-made-again', 'caught up']);
  });

  it('says where it goes on in another run, and does not take another topic for its own', async () => {
    append('a', 1);
    await rebuild(readerOf());
    append('b', 1);
    await rebuild(readerOf());
    topic = { id: 'second', records: [], end: 0n };
    for (const key of ['x', 'y', 'z']) append(key, 1);
    await rebuild(readerOf());
    topic.end = 2n;
    await rebuild(readerOf());
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

  it('ends with what the store has failed with, and not before its step has ended', async () => {
    append('a', 1);
    append('b', 1);
    const failing = { ...store, applyBatch: () => Promise.reject(new Error('disk full')) };
    await expect(rebuild(readerOf(), { store: failing, follow: true })).rejects.toThrow(
      'disk full',
    );
    expect(told).toEqual(['empty']);
  });

  it('resolves with everything in the store when it is told to stop', async () => {
    for (const key of ['a', 'b', 'c']) append(key, 1);
    const stop = new AbortController();
    await rebuild(
      readerOf((step) => void (step === 2 && stop.abort())),
      { signal: stop.signal },
    );
    expect(keys()).toEqual(['a', 'b', 'c']);
    expect(told).toEqual(['empty']);
  });
});
