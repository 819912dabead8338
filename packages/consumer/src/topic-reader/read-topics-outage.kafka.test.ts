import type { KafkaRecord } from '@outbound/kafka';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTopics } from './read-topics.ts';
import { append, connectionTo, newTopic } from './test-support/test-topics.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.close());

const reading = (topic: string) => ({ connection: connectionTo(kafka), topics: [topic] });
const values = (records: readonly KafkaRecord[]) => records.map(({ value }) => value?.toString());
const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({
    key: `k${from + index}`,
    value: `v${from + index}`,
  }));

describe('reading through an outage', () => {
  it('goes on where it was after the broker was killed and came back', async () => {
    const topic = await newTopic(kafka, { partitions: 2 });
    await append(kafka, topic, numbered(20));
    const stop = new AbortController();
    const seen: (string | undefined)[] = [];
    await readTopics({
      ...reading(topic),
      until: 'forever',
      signal: stop.signal,
      onBatch: (batch) => {
        seen.push(...values(batch));
        if (seen.includes('v29')) stop.abort();
      },
      onCaughtUp: async () => {
        await kafka.broker(1).kill();
        await kafka.broker(1).start();
        await append(kafka, topic, [{ ...numbered(1, 29)[0], value: 'v29' }]);
      },
    });
    expect(seen.toSorted()).toEqual(
      [...numbered(20), ...numbered(1, 29)].map(({ value }) => value).toSorted(),
    );
  });

  it('fails loudly when a broker hangs, naming the partition', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, numbered(2));
    const started = performance.now();
    await expect(
      readTopics({
        ...reading(topic),
        onBatch: () => undefined,
        until: 'forever',
        silenceMs: 2000,
        onCaughtUp: () => kafka.broker(1).pause(),
      }).finally(() => kafka.broker(1).resume()),
    ).rejects.toMatchObject({
      code: 'READER_STALLED',
      message: expect.stringContaining(`${topic}/0`) as string,
    });
    // Well below the time that kafkajs would wait for the answer that is due.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
