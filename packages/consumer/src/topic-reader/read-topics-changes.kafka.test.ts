import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import type { ReadOptions } from './read-options.ts';
import { readTopics } from './read-topics.ts';
import { append, connectionTo, newTopic, plainClient } from './test-support/test-topics.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.close());

const admin = async <Outcome>(
  work: (client: ReturnType<ReturnType<typeof plainClient>['admin']>) => Promise<Outcome>,
): Promise<Outcome> => {
  const client = plainClient(kafka).admin();
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.disconnect();
  }
};
const reading = (topic: string, options: Partial<ReadOptions>) =>
  readTopics({
    connection: connectionTo(kafka),
    topics: [topic],
    until: 'forever',
    onBatch: () => undefined,
    ...options,
  });

/** Deletes the topic, and makes another of its name with so many records. */
async function makeAgain(topic: string, records: number): Promise<void> {
  await admin(async (client) => {
    await client.deleteTopics({ topics: [topic] });
    await eventually(() =>
      client.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] }),
    );
  });
  await eventually(async () => {
    await append(
      kafka,
      topic,
      Array.from({ length: records }, () => ({ value: 'new' })),
    );
    return true;
  });
}

describe('a topic that changes while it is read', () => {
  it('is read in its new partitions too, from their beginning, after they were told', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: 'first', partition: 0 }]);
    const stop = new AbortController();
    const told: string[] = [];
    const summary = await reading(topic, {
      signal: stop.signal,
      onCaughtUp: async () => {
        await admin((client) =>
          client.createPartitions({ topicPartitions: [{ topic, count: 3 }] }),
        );
        await eventually(async () => {
          await append(kafka, topic, [{ value: 'in a new one', partition: 2 }]);
          return true;
        });
      },
      onGrown: (added) =>
        void told.push(...added.map(({ partition, low }) => `${partition} from ${low}`)),
      onBatch: (records) => {
        told.push(...records.map(({ value }) => value?.toString() ?? ''));
        if (told.at(-1) === 'in a new one') stop.abort();
      },
    });
    expect(told).toEqual(['first', '1 from 0', '2 from 0', 'in a new one']);
    expect(summary.positions.get(`${topic}/2`)).toBe(1n);
    expect(summary.partitions.length).toBe(3);
  });

  it('is another one when it was made again, even where its end is behind the position', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: 'old' }]);
    const seen: string[] = [];
    const before = performance.now();
    await expect(
      reading(topic, {
        onCaughtUp: async () => {
          await makeAgain(topic, 3);
        },
        onBatch: (records) => void seen.push(...records.map(({ value }) => String(value))),
      }),
    ).rejects.toMatchObject({
      code: 'POSITION_UNKNOWN',
      message: expect.stringContaining(`${topic} was deleted and made again`) as string,
    });
    expect(seen).toEqual(['old']);
    expect(performance.now() - before).toBeLessThan(20_000);
  });

  it('gives a reader that was held back meanwhile nothing of the new one, before it has looked', async () => {
    const topic = await newTopic(kafka);
    // More than is read ahead of a caller who takes long.
    const value = 'x'.repeat(100_000);
    for (let part = 0; part < 20; part += 1)
      await append(
        kafka,
        topic,
        Array.from({ length: 8 }, () => ({ value })),
      );
    const seen = new Set<string | undefined>();
    let isFirst = true;
    const read = reading(topic, {
      onBatch: async (records) => {
        for (const record of records) seen.add(record.value?.toString());
        if (isFirst) await makeAgain(topic, 500);
        isFirst = false;
      },
    });
    await expect(read).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' });
    expect([...seen]).toEqual([value]);
  });

  it('is missing once it was deleted', async () => {
    const topic = await newTopic(kafka);
    await expect(
      reading(topic, {
        onCaughtUp: () => admin((client) => client.deleteTopics({ topics: [topic] })),
      }),
    ).rejects.toMatchObject({
      code: 'TOPIC_MISSING',
      message: expect.stringContaining(topic) as string,
    });
  });
});

describe("batches of Java's producer", () => {
  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('are read in %s', async (codec) => {
    const topic = await newTopic(kafka);
    const values = Array.from({ length: 3000 }, (_, index) => `value ${index} ${'ä€😀'.repeat(9)}`);
    const { code, stderr } = await kafka.tool(
      'console-producer',
      ['--topic', topic, '--compression-codec', codec, '--batch-size', '200000'],
      { input: values.map((value) => `${value}\n`).join('') },
    );
    expect([code, stderr]).toEqual([0, '']);
    const seen: (string | undefined)[] = [];
    await reading(topic, {
      until: 'end',
      onBatch: (records) => void seen.push(...records.map(({ value }) => value?.toString())),
    });
    expect(seen).toEqual(values);
  });
});
