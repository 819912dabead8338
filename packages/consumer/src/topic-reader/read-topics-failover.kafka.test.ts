import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { readTopics } from './read-topics.ts';
import { append, connectionTo, newTopic } from './test-support/test-topics.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 3 });
});
afterAll(() => kafka.close());

describe('reading while leaders move', () => {
  it('gives each record once and in order', async () => {
    const partitions = 6;
    const topic = await newTopic(kafka, {
      partitions,
      replicas: 3,
      configs: { 'min.insync.replicas': '2' },
    });
    const stop = new AbortController();
    const offsets = Array.from({ length: partitions }, () => [] as number[]);
    const total = () => offsets.reduce((sum, { length }) => sum + length, 0);
    const reading = readTopics({
      connection: connectionTo(kafka),
      topics: [topic],
      until: 'forever',
      signal: stop.signal,
      silenceMs: 60_000,
      onBatch: (records) => {
        for (const { partition, offset } of records) offsets[partition]?.push(Number(offset));
      },
    });
    // Seen at the end; until then its rejection has a handler.
    reading.catch(() => undefined);
    let written = 0;
    const write = async () => {
      await append(
        kafka,
        topic,
        Array.from({ length: 60 }, (_, index) => ({
          value: String(index),
          partition: index % partitions,
        })),
      );
      written += 60;
    };
    await write();
    await eventually(() => total() >= written, { timeoutMs: 60_000 });
    // Each broker leads some partitions, and hands them over when it stops.
    for (const nodeId of [1, 2]) {
      await kafka.broker(nodeId).stop();
      await write();
      await eventually(() => total() >= written, { timeoutMs: 60_000 });
      await kafka.broker(nodeId).start();
      await write();
      await eventually(() => total() >= written, { timeoutMs: 60_000 });
    }
    stop.abort();
    const summary = await reading;
    for (const [partition, seen] of offsets.entries()) {
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, offset) => offset));
      expect(summary.positions.get(`${topic}/${partition}`)).toBe(BigInt(seen.length));
    }
    expect(total()).toBe(300);
  });
});
