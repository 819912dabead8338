import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { append, newTopic } from '../kafka/test-support/kafka-topics.ts';
import { outbound } from '../test-support/outbound.ts';

let kafka: KafkaCluster;
let topic: string;
beforeAll(async () => {
  kafka = await startKafka();
  topic = await newTopic(kafka, { partitions: 3, configs: { 'cleanup.policy': 'compact' } });
  const value = (version: number, status: string) =>
    `{"data_op":"U","data":{"version":${version},"status":"${status}","price":{"amount":${version}.50}}}`;
  await append(kafka, topic, [
    ...Array.from({ length: 20 }, (_, n) => ({ key: `k${n}`, value: value(1, 'DRAFT') })),
    ...Array.from({ length: 10 }, (_, n) => ({ key: `k${n}`, value: value(2, 'ACTIVE') })),
    { key: 'k3', value: null },
    { key: 'k4', value: null },
    { key: 'k4', value: value(4, 'ACTIVE') },
  ]);
});
afterAll(async () => kafka.close());

const latest = (...args: string[]) =>
  outbound(['latest', ...args], { env: { OUTBOUND_KAFKA_BROKERS: kafka.bootstrap.join(',') } });
const keysOf = (records: readonly unknown[]) =>
  (records as { key: string }[]).map(({ key }) => Number(key.slice(1))).sort((a, b) => a - b);

describe('latest', () => {
  it('shows the last value of every key once, without the deleted ones', async () => {
    const { code, json, err } = await latest(topic, '--json');
    expect(code).toBe(0);
    expect(keysOf(json())).toEqual(Array.from({ length: 20 }, (_, n) => n).filter((n) => n !== 3));
    expect(json()).toContainEqual(
      expect.objectContaining({
        key: 'k4',
        value: expect.objectContaining({
          data: expect.objectContaining({ version: 4 }) as object,
        }) as object,
      }),
    );
    expect(err).toContain(`19 of 20 keys in ${topic} shown`);
  });

  it('finds by fields', async () => {
    const active = await latest(topic, '--json', '--where', 'status=ACTIVE');
    expect(keysOf(active.json())).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9]);
    const both = await latest(
      topic,
      '--json',
      '--where',
      'status=ACTIVE',
      '--where',
      'price.amount=4.50',
    );
    expect(keysOf(both.json())).toEqual([4]);
  });

  it('finds deleted keys as long as their tombstones are there', async () => {
    const { code, json } = await latest(topic, '--deleted', '--json');
    expect(code).toBe(0);
    expect(json()).toEqual([expect.objectContaining({ key: 'k3', tombstone: true, value: null })]);
  });

  it('answers for given keys in their order, and says with its exit code that one is not there or deleted', async () => {
    const there = await latest(topic, 'k9', 'k1', '--json');
    expect(there.code).toBe(0);
    expect(there.json().map((each) => (each as { key: string }).key)).toEqual(['k9', 'k1']);
    const mixed = await latest(topic, 'k1', 'none', 'k3');
    expect(mixed.code).toBe(3);
    expect(mixed.out.split('\n')).toEqual([
      expect.stringContaining(' k1 U v2 '),
      `none is not in ${topic}`,
      expect.stringMatching(/ k3 D - tombstone$/),
      '',
    ]);
    expect(await latest(topic, 'k3', '--deleted')).toMatchObject({ code: 0 });
  });

  it('refuses a topic that is not compacted, one that is not there, and tombstones with fields', async () => {
    const plain = await newTopic(kafka);
    const refused = await latest(plain);
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toContain('is not compacted (cleanup.policy delete)');
    expect(await latest('no-such-topic')).toMatchObject({ code: 2 });
    expect(await latest(topic, '--deleted', '--where', 'a=b')).toMatchObject({ code: 2 });
    expect(await latest(topic, '--where', 'nonsense')).toMatchObject({ code: 2 });
  });
});
