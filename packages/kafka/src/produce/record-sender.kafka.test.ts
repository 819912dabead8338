import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../../test/support/fault-proxy.ts';
import { anyName, connectionTo, silentLog, Stranger } from '../test-support/test-topics.ts';
import { openRecordSender, type RecordSenderOptions } from './record-sender.ts';
import type { RecordToWrite } from './record-to-write.ts';

let kafka: KafkaCluster;
let proxy: FaultProxy;
let stranger: Stranger;
beforeAll(async () => {
  kafka = await startKafka({
    brokers: 1,
    settings: { 'auto.create.topics.enable': 'true' },
    advertise: async ({ host, port }) => {
      proxy = await startFaultProxy({ host, port });
      return { host: proxy.host, port: proxy.port };
    },
  });
  stranger = new Stranger(kafka.bootstrap);
});
afterAll(async () => {
  await stranger.close();
  await kafka.close();
  await proxy.close();
});

async function sender(topic: string, over: Partial<RecordSenderOptions> = {}) {
  const one = await openRecordSender({
    connection: connectionTo(kafka.bootstrap),
    topic,
    partitionOf: (key, partitions) => key.length % partitions,
    log: silentLog,
    ...over,
  });
  onTestFinished(async () => one.close());
  return one;
}

const numbered = (from: number, to: number): RecordToWrite[] =>
  Array.from({ length: to - from }, (_, index) => ({
    key: `k${from + index}`,
    value: Buffer.from('x'),
    headers: {},
    timestampMs: Date.now(),
  }));
const keysIn = async (topic: string, partition = 0) =>
  (await stranger.read(topic, partition)).map(({ key }) => String(key));

it('stores bytes as they are: keys and headers that are no text, repeated headers, tombstones, records without a key', async () => {
  const topic = await stranger.topic();
  const timestampMs = Date.now() - 1000;
  const key = Buffer.from('fffe0001', 'hex');
  const headers = [
    { name: 'twice', value: Buffer.from('ff00', 'hex') },
    { name: 'twice', value: Buffer.from('b') },
  ];
  await (
    await sender(topic)
  ).send([
    { key, value: Buffer.from('00ff', 'hex'), headers, timestampMs },
    { key, value: null, headers: { plain: 'ü' }, timestampMs },
    { key: null, value: Buffer.from('no key'), headers: {}, timestampMs },
  ]);
  expect(await stranger.read(topic)).toMatchObject([
    {
      key,
      value: Buffer.from('00ff', 'hex'),
      timestamp: String(timestampMs),
      headers: { twice: headers.map(({ value }) => value) },
    },
    { key, value: null, headers: { plain: Buffer.from('ü') } },
    { key: null, value: Buffer.from('no key') },
  ]);
});

it('keeps the order within each partition over calls and batches, and puts each key where it is told', async () => {
  const topic = await stranger.topic(4);
  const one = await sender(topic);
  expect(one.partitions).toBe(4);
  await Promise.all([
    one.send(numbered(0, 5000)),
    one.send(numbered(5000, 5001)),
    one.send(numbered(5001, 9000)),
  ]);
  const all = numbered(0, 9000).map(({ key }) => String(key));
  for (const partition of [0, 1, 2, 3])
    expect(await keysIn(topic, partition)).toEqual(
      all.filter((key) => key.length % 4 === partition),
    );
});

it.each(['silence', 'reset'] as const)(
  'stores a batch once when the answer to it was lost (%s)',
  async (then) => {
    const topic = await stranger.topic();
    const one = await sender(topic, {
      connection: connectionTo(kafka.bootstrap, { silenceLimitMs: 3500 }),
    });
    await one.send(numbered(0, 1));
    proxy.set({ mode: 'drop-response', then });
    const sending = one.send(numbered(1, 4));
    setTimeout(() => proxy.heal(), 500);
    await sending;
    await one.send(numbered(4, 5));
    expect(await keysIn(topic)).toEqual(['k0', 'k1', 'k2', 'k3', 'k4']);
  },
);

it('goes on over a killed broker, and loses, doubles and disorders nothing', async () => {
  const topic = await stranger.topic();
  const one = await sender(topic);
  let sent = 0;
  let restarted = false;
  const restart = async () => {
    await kafka.broker(1).kill();
    await kafka.broker(1).start();
    restarted = true;
  };
  const restarting = restart();
  while (!restarted) {
    await one.send(numbered(sent, sent + 10));
    sent += 10;
  }
  await restarting;
  expect(await keysIn(topic)).toEqual(numbered(0, sent).map(({ key }) => String(key)));
});

it('does not make a topic that is missing, and names it', async () => {
  const topic = anyName('missing');
  await expect(sender(topic)).rejects.toMatchObject({
    code: 'KAFKA_TOPIC_MISSING',
    message: `topic ${topic} does not exist`,
  });
  expect((await kafka.tool('topics', ['--list'])).stdout).not.toContain(topic);
});

it('is of no more use after what the broker refuses for good, and says why each time', async () => {
  const topic = await stranger.topic(1, { 'max.message.bytes': '1000' });
  const one = await sender(topic);
  const [record] = numbered(0, 1);
  if (!record) throw new Error('one record');
  const refused = {
    code: 'KAFKA_REJECTED',
    message: expect.stringContaining('MESSAGE_TOO_LARGE') as string,
    kafkaCode: 10,
  };
  await expect(one.send([{ ...record, value: Buffer.alloc(2000, 'x') }])).rejects.toMatchObject(
    refused,
  );
  await expect(one.send([record])).rejects.toMatchObject(refused);
  expect(await keysIn(topic)).toEqual([]);
});

it('gives up after the time that it was given', async () => {
  const topic = await stranger.topic();
  const one = await sender(topic, { withinMs: 1500 });
  proxy.set({ mode: 'cut' });
  try {
    await expect(one.send(numbered(0, 1))).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  } finally {
    proxy.heal();
  }
});
