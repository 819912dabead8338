import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { partitionOf } from '@outbound/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { append, newTopic, plainClient } from '../kafka/test-support/kafka-topics.ts';
import { runCli } from '../run-cli.ts';
import { outbound } from '../test-support/outbound.ts';
import { verbs } from '../verbs.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ settings: { 'auto.create.topics.enable': 'true' } });
});
afterAll(async () => kafka.close());

const env = () => ({ OUTBOUND_KAFKA_BROKERS: kafka.bootstrap.join(',') });
const tail = (...args: string[]) => outbound(['tail', ...args], { env: env() });

describe('tail', () => {
  it('shows what is there and ends with -e, in order of offset', async () => {
    // The dates below are past the time that topics are kept for by default.
    const topic = await newTopic(kafka, { configs: { 'retention.ms': '-1' } });
    await append(
      kafka,
      topic,
      Array.from({ length: 5 }, (_, n) => ({
        key: `k${n}`,
        value: `{"n":${n}}`,
        timestamp: `${1_790_000_000_000 + n * 1000}`,
      })),
    );
    const all = await tail(topic, '-e');
    expect(all.code).toBe(0);
    expect(all.out.split('\n')[0]).toBe('2026-09-21T14:13:20.000Z 0:0 k0 - - 7 B {"n":0}');
    const read = async (...args: string[]) => (await tail(topic, '-e', '-f', '%o,', ...args)).out;
    expect(await read()).toBe('0,1,2,3,4,');
    expect(await read('-o', 'end')).toBe('');
    expect(await read('-o', '-2')).toBe('3,4,');
    expect(await read('-o', '3')).toBe('3,4,');
    expect(await read('-o', '@1790000001500')).toBe('2,3,4,');
    expect(await read('-o', '@2026-09-21T14:13:24Z')).toBe('4,');
    expect(await read('-c', '2')).toBe('0,1,');
    expect(await read('--grep', '"n":3')).toBe('3,');
    expect(await read('-o', 'beginning', '-k', 'k4')).toBe('4,');
  });

  it('reads the partition of a key where Java puts it, and gives lossless JSON and headers', async () => {
    const topic = await newTopic(kafka, { partitions: 6 });
    const keys = Array.from({ length: 30 }, (_, n) => `key-${n}`);
    await append(
      kafka,
      topic,
      keys.map((key) => ({ key, value: '{"price": 1.50}', headers: { ce_id: `of-${key}` } })),
    );
    const { code, json, out } = await tail(topic, '-e', '-k', 'key-7', '--json');
    expect(code).toBe(0);
    expect(json()).toEqual([
      expect.objectContaining({
        ...{ key: 'key-7', partition: partitionOf('key-7', 6), tombstone: false },
        headers: { ce_id: 'of-key-7' },
      }),
    ]);
    expect(out).toContain('"value":{"price":1.50}');
    const partition = await tail(topic, '-e', '-p', '2', '-f', '%k\\n');
    expect(partition.out.trim().split('\n')).toEqual(
      keys.filter((key) => partitionOf(key, 6) === 2),
    );
  });

  it('follows, and Ctrl-C is a good end', async () => {
    const topic = await newTopic(kafka, { partitions: 3 });
    await append(kafka, topic, [{ key: 'old', value: 'old' }]);
    const stop = new AbortController();
    let out = '';
    const running = runCli(
      {
        argv: ['tail', topic, '-f', '%k\\n'],
        env: env(),
        out: { write: (text) => ((out += text), true) },
        err: { write: () => true },
        signal: stop.signal,
        version: '0',
      },
      verbs,
    );
    // Where it begins cannot be seen from here: it has begun when something of this comes.
    await eventually(
      async () => {
        await append(kafka, topic, [{ key: 'begun', value: 'x' }]);
        return out.includes('begun');
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
    await append(kafka, topic, [{ key: 'new', value: 'x' }]);
    await eventually(() => out.includes('new\n'), { timeoutMs: 60_000 });
    stop.abort();
    expect(await running).toBe(0);
    expect(out).not.toContain('old');
  });

  it('follows until it has as many as asked for', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    const { code, out } = await tail(topic, '-o', 'beginning', '-c', '2', '-f', '%s');
    expect({ code, out }).toEqual({ code: 0, out: 'ab' });
  });

  it('neither creates a topic that is not there nor waits for it, and leaves no group', async () => {
    const { code, err, json } = await tail('no-such-topic', '--json');
    expect(code).toBe(2);
    expect(json()).toEqual([]);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'TOPIC_MISSING' } });
    const admin = plainClient(kafka).admin();
    await admin.connect();
    try {
      expect(await admin.listTopics()).not.toContain('no-such-topic');
      expect((await admin.listGroups()).groups).toEqual([]);
    } finally {
      await admin.disconnect();
    }
  });

  it('refuses a partition that is not there, and nonsense', async () => {
    const topic = await newTopic(kafka);
    expect(await tail(topic, '-p', '7')).toMatchObject({ code: 2 });
    expect(await tail(topic, '-o', 'sometime')).toMatchObject({ code: 2 });
    expect(await tail(topic, '-f', '%q')).toMatchObject({ code: 2 });
    expect(await tail(topic, '-c', 'many')).toMatchObject({ code: 2 });
  });
});
