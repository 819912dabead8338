import type { KafkaRecord } from '@outbound/kafka';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import type { ReadSummary } from './read-summary.ts';
import { readTopics, type ReadTopicsOptions } from './read-topics.ts';
import {
  append,
  connectionTo,
  newTopic,
  plainClient,
  removeBefore,
} from './test-support/test-topics.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  // The broker would create a topic that is asked for: that none appears is up to us.
  kafka = await startKafka({
    settings: { 'auto.create.topics.enable': 'true', 'log.cleaner.backoff.ms': '100' },
  });
});
afterAll(() => kafka.close());

async function read(
  topic: string,
  options: Partial<ReadTopicsOptions> = {},
): Promise<{ records: KafkaRecord[]; summary: ReadSummary }> {
  const records: KafkaRecord[] = [];
  const summary = await readTopics({
    connection: connectionTo(kafka),
    topics: [topic],
    until: 'end',
    onBatch: (batch) => {
      records.push(...batch);
    },
    ...options,
  });
  return { records, summary };
}
const values = (records: readonly KafkaRecord[]) =>
  records.map(({ value }) => value?.toString() ?? null);
const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({
    key: `k${from + index}`,
    value: `v${from + index}`,
  }));

describe('reading topics', () => {
  it('gives every record with its key, value, headers and time, in order per partition', async () => {
    // Its records are older than what a topic keeps by default.
    const topic = await newTopic(kafka, { partitions: 3, configs: { 'retention.ms': '-1' } });
    await append(kafka, topic, [
      {
        key: 'a',
        value: 'ä€😀',
        partition: 1,
        timestamp: '1000',
        headers: { ce_id: 'x', empty: '' },
      },
      { key: 'a', value: null, partition: 1, timestamp: '3000' },
      { key: null, value: '', partition: 2, timestamp: '2000' },
    ]);
    const { records, summary } = await read(topic);
    expect(
      records.map((each) => ({
        topic: each.topic,
        partition: each.partition,
        offset: each.offset,
        timestampMs: each.timestampMs,
        key: each.key?.toString(),
        value: each.value?.toString(),
        headers: each.headers,
      })),
    ).toEqual(
      expect.arrayContaining([
        {
          topic,
          partition: 1,
          offset: 0n,
          timestampMs: 1000,
          key: 'a',
          value: 'ä€😀',
          headers: { ce_id: 'x', empty: '' },
        },
        {
          topic,
          partition: 1,
          offset: 1n,
          timestampMs: 3000,
          key: 'a',
          value: undefined,
          headers: {},
        },
        {
          topic,
          partition: 2,
          offset: 0n,
          timestampMs: 2000,
          key: undefined,
          value: '',
          headers: {},
        },
      ]),
    );
    expect(summary).toMatchObject({
      recordCount: 3,
      isWhole: true,
      isCaughtUp: true,
      overtaken: 0n,
    });
    expect(summary.positions).toEqual(
      new Map([
        [`${topic}/0`, 0n],
        [`${topic}/1`, 2n],
        [`${topic}/2`, 1n],
      ]),
    );
  });

  it('says at once that a topic does not exist, and does not create it', async () => {
    await expect(read('no-such-topic')).rejects.toMatchObject({
      code: 'TOPIC_MISSING',
      message: expect.stringContaining('no-such-topic') as string,
    });
    const admin = plainClient(kafka).admin();
    await admin.connect();
    expect(await admin.listTopics()).not.toContain('no-such-topic');
    await admin.disconnect();
  });

  it('has caught up with an empty topic at once', async () => {
    const told: ReadSummary[] = [];
    const { records } = await read(await newTopic(kafka, { partitions: 3 }), {
      onCaughtUp: (summary) => void told.push(summary),
    });
    expect(records).toEqual([]);
    expect(told).toMatchObject([{ recordCount: 0, isCaughtUp: true }]);
  });

  it('leaves no group behind', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, numbered(3));
    await read(topic);
    const admin = plainClient(kafka).admin();
    await admin.connect();
    expect((await admin.listGroups()).groups).toEqual([]);
    await admin.disconnect();
  });

  it('begins where it is told', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, numbered(10));
    const { records } = await read(topic, { from: ({ high }) => high - 3n });
    expect(values(records)).toEqual(['v7', 'v8', 'v9']);
  });

  it('leaves a partition alone that it is given no position for', async () => {
    const topic = await newTopic(kafka, { partitions: 3 });
    for (const partition of [0, 1, 2])
      await append(kafka, topic, [{ key: 'k', value: `in ${partition}`, partition }]);
    const from = ({ partition }: { partition: number }) => (partition === 1 ? 0n : undefined);
    const { records, summary } = await read(topic, { from });
    expect(values(records)).toEqual(['in 1']);
    expect([...summary.positions.keys()]).toEqual([`${topic}/1`]);
  });

  it('refuses a position behind the end: it is not of this topic', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, numbered(2));
    await expect(read(topic, { from: () => 3n })).rejects.toMatchObject({
      code: 'POSITION_UNKNOWN',
    });
  });

  it('does not give what came after it began, until it is to go on for ever', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, numbered(2));
    let isMore = false;
    const { records } = await read(topic, {
      from: ({ high }) => {
        expect(high).toBe(2n);
        return 0n;
      },
      onBatch: async () => {
        if (!isMore) await append(kafka, topic, numbered(2, 2));
        isMore = true;
      },
    });
    expect(records).toEqual([]);
    const stop = new AbortController();
    const events: (string | null)[] = [];
    const { summary } = await read(topic, {
      until: 'forever',
      signal: stop.signal,
      onBatch: (batch) => {
        events.push(...values(batch));
        if (events.at(-1) === 'v5') stop.abort();
      },
      onCaughtUp: async () => {
        events.push('caught up');
        await append(kafka, topic, numbered(2, 4));
      },
    });
    expect(events).toEqual(['v0', 'v1', 'v2', 'v3', 'caught up', 'v4', 'v5']);
    expect(summary.positions.get(`${topic}/0`)).toBe(6n);
  });

  it('waits for the caller, one batch at a time, however long it takes', async () => {
    const topic = await newTopic(kafka, { partitions: 4 });
    await append(kafka, topic, numbered(400));
    let running = 0;
    let calls = 0;
    const { records, summary } = await read(topic, {
      silenceMs: 400,
      onBatch: async () => {
        expect(++running).toBe(1);
        // Longer than a broker may be silent.
        if (calls++ === 0) await new Promise((resolve) => setTimeout(resolve, 900));
        running -= 1;
      },
    });
    expect(records).toEqual([]);
    expect(summary.recordCount).toBe(400);
  });

  it('passes on what the caller throws, and hands out nothing more', async () => {
    const topic = await newTopic(kafka, { partitions: 4 });
    await append(kafka, topic, numbered(40));
    let calls = 0;
    await expect(
      read(topic, {
        onBatch: () => {
          calls += 1;
          throw new Error('the disk is full');
        },
      }),
    ).rejects.toThrow('the disk is full');
    expect(calls).toBe(1);
  });

  it('ends quickly when it is aborted while nothing comes', async () => {
    const topic = await newTopic(kafka);
    const stop = new AbortController();
    const started = performance.now();
    await read(topic, {
      until: 'forever',
      signal: stop.signal,
      onCaughtUp: () => {
        setTimeout(() => stop.abort(), 50);
      },
    });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it.each([0, 1])('reads batches compressed with codec %i', async (compression) => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, numbered(500), { compression });
    await append(kafka, topic, numbered(500, 500), { compression });
    expect(values((await read(topic)).records)).toEqual(numbered(1000).map(({ value }) => value));
  });

  it('passes over markers and aborted transactions, also at the end of the log', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: 'plain' }]);
    await append(kafka, topic, [{ value: 'aborted' }], { transaction: 'abort' });
    await append(kafka, topic, [{ value: 'committed' }], { transaction: 'commit' });
    await append(kafka, topic, [{ value: 'aborted too' }], { transaction: 'abort' });
    const { records, summary } = await read(topic);
    expect(values(records)).toEqual(['plain', 'committed']);
    expect(summary.positions.get(`${topic}/0`)).toBe(7n);
  });

  it('passes over the gaps that compaction leaves, also where only empty batches are left', async () => {
    const topic = await newTopic(kafka, {
      configs: {
        'cleanup.policy': 'compact',
        'segment.bytes': '1048576',
        'segment.ms': '100',
        'min.cleanable.dirty.ratio': '0.001',
        'delete.retention.ms': '0',
      },
    });
    // Each version supersedes the whole of the batch before it, which leaves empty batches of the same producer.
    for (let round = 0; round < 5; round++)
      await append(
        kafka,
        topic,
        numbered(50).map(({ key }) => ({ key, value: `round ${round}` })),
      );
    await append(
      kafka,
      topic,
      numbered(50).map(({ key }) => ({ key, value: null })),
    );
    await eventually(
      async () => {
        await append(kafka, topic, [{ key: 'roll', value: 'x' }]);
        const { records } = await read(topic);
        return new Set(records.map(({ key }) => key?.toString())).size === 1;
      },
      { timeoutMs: 90_000, intervalMs: 300 },
    );
    const { records, summary } = await read(topic);
    expect(records.at(-1)?.offset).toBeGreaterThan(300n);
    expect(summary).toMatchObject({ isCaughtUp: true, isWhole: true });
  });

  it('goes on behind what retention removed, and says how much that was', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, numbered(10));
    await removeBefore(kafka, topic, 6);
    const { records, summary } = await read(topic, { from: () => 0n });
    expect(values(records)).toEqual(['v6', 'v7', 'v8', 'v9']);
    expect(summary).toMatchObject({ isWhole: false, overtaken: 6n, isCaughtUp: true });
  });

  it('goes on behind what retention removes while it reads', async () => {
    const topic = await newTopic(kafka);
    const stop = new AbortController();
    const seen: (string | null)[] = [];
    await append(kafka, topic, numbered(2));
    let isRemoved = false;
    const { summary } = await read(topic, {
      until: 'forever',
      signal: stop.signal,
      onBatch: async (batch) => {
        seen.push(...values(batch));
        if (seen.at(-1) === 'last') stop.abort();
        if (isRemoved) return;
        isRemoved = true;
        await append(kafka, topic, numbered(5, 2));
        await removeBefore(kafka, topic, -1);
        await append(kafka, topic, [{ value: 'last' }]);
      },
    });
    expect(seen.slice(0, 2)).toEqual(['v0', 'v1']);
    expect(seen.at(-1)).toBe('last');
    expect(BigInt(seen.length) + summary.overtaken).toBe(8n);
  });

  it('gives more than one answer can hold, from every partition, each record once', async () => {
    const topic = await newTopic(kafka, { partitions: 2 });
    const value = 'x'.repeat(100_000);
    for (let round = 0; round < 6; round++)
      await append(
        kafka,
        topic,
        Array.from({ length: 8 }, (_, index) => ({
          key: `k${round}-${index}`,
          value,
          partition: index % 2,
        })),
      );
    const { records, summary } = await read(topic);
    expect(new Set(records.map(({ key }) => key?.toString())).size).toBe(48);
    expect(summary.recordCount).toBe(48);
    for (const partition of [0, 1])
      expect(
        records.filter((each) => each.partition === partition).map(({ offset }) => Number(offset)),
      ).toEqual(Array.from({ length: 24 }, (_, index) => index));
  });

  it('says up to when everything has been handed out, once it has caught up', async () => {
    const topic = await newTopic(kafka, { partitions: 3 });
    await append(kafka, topic, numbered(3));
    const stop = new AbortController();
    const appended = new Map<string, number>();
    const seen = new Set<string | null>();
    let isCaughtUp = false;
    let told = 0;
    await read(topic, {
      until: 'forever',
      signal: stop.signal,
      currentEveryMs: 1,
      onBatch: (batch) => {
        for (const value of values(batch)) seen.add(value);
      },
      onCaughtUp: () => {
        isCaughtUp = true;
      },
      onCurrent: async (atMs) => {
        expect(isCaughtUp).toBe(true);
        for (const [value, ms] of appended) if (ms < atMs) expect(seen).toContain(value);
        if (++told === 8) return stop.abort();
        await append(kafka, topic, numbered(1, 100 + told));
        appended.set(`v${100 + told}`, Date.now());
      },
    });
    expect(told).toBe(8);
    expect(seen).toContain('v105');
  });
});
