import { stat } from 'node:fs/promises';
// A client that is not ours, to prove that the brokers are usable.

import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKafka, type KafkaCluster } from './index.ts';
import { clusterView } from './metadata-probe.ts';
import { pollUntil } from './poll-until.ts';

function client(brokers: string[]): Kafka {
  return new Kafka({ brokers, logLevel: logLevel.NOTHING });
}

async function produce(brokers: string[], topic: string, value: string): Promise<void> {
  const producer = client(brokers).producer();
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ key: 'k', value }] });
  await producer.disconnect();
}

async function consume(brokers: string[], topic: string, count: number): Promise<string[]> {
  const consumer = client(brokers).consumer({ groupId: `reads-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: string[] = [];
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ message }) => {
          values.push(String(message.value));
          if (values.length === count) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return values;
}

describe.each([1, 3] as const)('Kafka of %i brokers as processes', (count) => {
  let kafka: KafkaCluster;
  beforeAll(async () => {
    kafka = await startKafka({ brokers: count });
  });
  afterAll(async () => kafka.close());

  it('takes a record and gives it back', async () => {
    const created = await kafka.tool('topics', ['--create', '--topic', 'first']);
    expect(created).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Created topic first') as string,
    });
    await produce(kafka.bootstrap, 'first', 'one');
    expect(await consume(kafka.bootstrap, 'first', 1)).toEqual(['one']);
  });

  it('replicates by default over all its brokers, and creates no topic by itself', async () => {
    const { stdout } = await kafka.tool('topics', ['--describe', '--topic', 'first']);
    expect(stdout).toContain(`ReplicationFactor: ${count}`);
    const admin = client(kafka.bootstrap).admin();
    await admin.connect();
    await expect(admin.fetchTopicMetadata({ topics: ['missing'] })).rejects.toThrow(
      'does not host',
    );
    await admin.disconnect();
  });

  it('keeps what was acknowledged over a controlled stop and over a kill, on the same ports', async () => {
    await kafka.tool('topics', ['--create', '--topic', 'kept']);
    await produce(kafka.bootstrap, 'kept', 'one');
    const broker = kafka.broker(count);
    const { address, pid } = broker;
    await broker.stop();
    expect(() => broker.pid).toThrow('not running');
    await broker.start();
    await produce(kafka.bootstrap, 'kept', 'two');
    await broker.kill();
    await broker.start();
    expect(broker).toMatchObject({ address });
    expect(broker.pid).not.toBe(pid);
    expect(await consume(kafka.bootstrap, 'kept', 2)).toEqual(['one', 'two']);
  });

  it('is silent while a broker is paused and goes on when it is resumed', async () => {
    const broker = kafka.broker(1);
    const [host = '', port = ''] = broker.address.split(':');
    const ask = async () => clusterView({ host, port: Number(port) });
    await broker.pause();
    await expect(ask()).rejects.toThrow(`no answer from ${broker.address}`);
    await broker.resume();
    await pollUntil(async () => (await ask()).aliveNodes.includes(1), {
      what: 'the resumed broker',
      timeoutMs: 30_000,
    });
  });

  it('says which tool failed by its exit code', async () => {
    const { code, stdout, stderr } = await kafka.tool('topics', [
      '--describe',
      '--topic',
      'missing',
    ]);
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain("Topic 'missing' does not exist");
  });
});

describe('Kafka for tests', () => {
  it('sends clients through the endpoint that it is told to advertise, and tools past it', async () => {
    const asked: unknown[] = [];
    await using kafka = await startKafka({
      settings: { 'message.max.bytes': '123456' },
      advertise: async (broker) => {
        asked.push(broker);
        return Promise.resolve({ host: 'localhost', port: broker.port });
      },
    });
    const own = kafka.bootstrap[0]?.split(':')[1];
    expect(asked).toEqual([{ nodeId: 1, host: '127.0.0.1', port: Number(own) }]);
    expect(kafka.bootstrap).toEqual([`localhost:${own}`]);
    const admin = client(kafka.bootstrap).admin();
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    expect(brokers).toEqual([{ nodeId: 1, host: 'localhost', port: Number(own) }]);
    await admin.disconnect();
    const { stdout } = await kafka.tool('configs', [
      '--describe',
      '--all',
      '--entity-type',
      'brokers',
      '--entity-name',
      '1',
    ]);
    expect(stdout).toContain('message.max.bytes=123456');
    expect(kafka.directBootstrap).not.toEqual(kafka.bootstrap);
  });

  it('removes its temporary data when it is closed, and cannot be started after that', async () => {
    const kafka = await startKafka();
    const { logFile } = kafka.broker(1);
    await stat(logFile);
    await kafka.close();
    await kafka.close();
    await expect(stat(logFile)).rejects.toThrow('ENOENT');
    await expect(kafka.broker(1).start()).rejects.toThrow('closed for good');
    expect(() => kafka.broker(2)).toThrow('there is no Kafka node 2, only 1');
  });
});
