import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePorts, startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaAdmin, type KafkaAdmin } from './kafka-admin.ts';
import { append, connectionTo, newTopic, plainClient } from './test-support/kafka-topics.ts';

let kafka: KafkaCluster;
let admin: KafkaAdmin;
beforeAll(async () => {
  // The broker would create a topic that is asked for: that none appears is up to us.
  kafka = await startKafka({ settings: { 'auto.create.topics.enable': 'true' } });
  admin = await openKafkaAdmin(connectionTo(kafka));
});
afterAll(async () => {
  await admin.close();
  await kafka.close();
});

async function joined(group: string, topic: string) {
  const consumer = plainClient(kafka).consumer({ groupId: group });
  const inGroup = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
  await consumer.connect();
  await consumer.subscribe({ topic });
  await consumer.run({ eachMessage: () => Promise.resolve() });
  await inGroup;
  return consumer;
}

describe('the Kafka admin', () => {
  it('names the brokers by their advertised addresses, and the controller', async () => {
    const { brokers, clusterId, controller } = await admin.brokers();
    expect(brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(kafka.bootstrap);
    expect(controller).toBe(brokers[0]?.id);
    expect(clusterId).toMatch(/./);
  });

  it('gives offsets, leaders and settings of a topic', async () => {
    const topic = await newTopic(kafka, {
      partitions: 3,
      configs: { 'cleanup.policy': 'compact' },
    });
    await append(kafka, topic, [
      { key: 'a', value: '1', partition: 2, timestamp: '1000' },
      { key: 'a', value: '2', partition: 2, timestamp: '2000' },
    ]);
    const [{ id: leader = -1 } = {}] = (await admin.brokers()).brokers;
    expect(await admin.topicRanges(topic)).toEqual([
      { partition: 0, low: 0n, high: 0n, leader },
      { partition: 1, low: 0n, high: 0n, leader },
      { partition: 2, low: 0n, high: 2n, leader },
    ]);
    expect(await admin.offsetsAt(topic, 1500)).toEqual([
      { partition: 0, offset: 0n },
      { partition: 1, offset: 0n },
      { partition: 2, offset: 1n },
    ]);
    expect((await admin.offsetsAt(topic, 2001))[2]).toEqual({ partition: 2, offset: 2n });
    expect(await admin.topicConfig(topic, ['cleanup.policy', 'no.such.setting'])).toEqual(
      new Map([['cleanup.policy', 'compact']]),
    );
    expect(await admin.topics()).toContain(topic);
  });

  it('says of a topic that does not exist that it does not, and neither creates it nor fails for others afterwards', async () => {
    for (const question of [
      () => admin.topicRanges('no-such-topic'),
      () => admin.offsetsAt('no-such-topic', 0),
      () => admin.topicConfig('no-such-topic', ['cleanup.policy']),
      () => admin.setGroupOffsets('g', 'no-such-topic', [{ partition: 0, offset: 0n }]),
    ])
      await expect(question()).rejects.toMatchObject({ code: 'TOPIC_MISSING', exitCode: 2 });
    expect(await admin.topics()).not.toContain('no-such-topic');
    const topic = await newTopic(kafka);
    expect(await admin.topicRanges(topic)).toHaveLength(1);
  });

  it('sets the offsets of an empty group, and of one that does not exist yet', async () => {
    const topic = await newTopic(kafka, { partitions: 2 });
    await append(kafka, topic, [
      { key: 'a', value: '1', partition: 0 },
      { key: 'b', value: '2', partition: 1 },
      { key: 'b', value: '3', partition: 1 },
    ]);
    expect(await admin.groupOffsets('new-group')).toEqual([]);
    await admin.setGroupOffsets('new-group', topic, [{ partition: 1, offset: 2n }]);
    expect(await admin.groupOffsets('new-group')).toContainEqual({
      topic,
      partition: 1,
      offset: 2n,
    });
    await admin.setGroupOffsets('new-group', topic, [
      { partition: 0, offset: 1n },
      { partition: 1, offset: 1n },
    ]);
    expect(await admin.groupOffsets('new-group')).toEqual([
      { topic, partition: 0, offset: 1n },
      { topic, partition: 1, offset: 1n },
    ]);
    expect((await admin.groups()).find(({ group }) => group === 'new-group')).toMatchObject({
      state: 'Empty',
      members: [],
    });
  });

  it('refuses to move a group that has members, and names them', async () => {
    const topic = await newTopic(kafka);
    const consumer = await joined('busy-group', topic);
    try {
      const group = (await admin.groups()).find((each) => each.group === 'busy-group');
      expect(group).toMatchObject({ state: 'Stable', protocolType: 'consumer' });
      expect(group?.members).toHaveLength(1);
      await expect(
        admin.setGroupOffsets('busy-group', topic, [{ partition: 0, offset: 0n }]),
      ).rejects.toMatchObject({
        code: 'GROUP_NOT_EMPTY',
        exitCode: 6,
        message: expect.stringContaining('kafkajs at 127.0.0.1') as string,
      });
    } finally {
      await consumer.disconnect();
    }
  });

  it("does not call a group of Kafka's newer protocol dead: its state is unknown, its offsets are read, and it is not moved", async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: '1' }, { value: '2' }]);
    const java = await kafka.tool('console-consumer', [
      ...['--topic', topic, '--group', 'newer', '--from-beginning', '--max-messages', '2'],
      ...['--command-property', 'group.protocol=consumer'],
    ]);
    expect(java).toMatchObject({ code: 0 });
    expect((await admin.groups()).find(({ group }) => group === 'newer')).toMatchObject({
      state: 'Unknown',
      members: [],
    });
    expect(await admin.groupOffsets('newer')).toEqual([{ topic, partition: 0, offset: 2n }]);
    await expect(
      admin.setGroupOffsets('newer', topic, [{ partition: 0, offset: 0n }]),
    ).rejects.toMatchObject({
      code: 'GROUP_NOT_EMPTY',
      message: expect.stringContaining('kafka-consumer-groups.sh') as string,
    });
  });

  it('deletes records below an offset', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: '1' }, { value: '2' }]);
    await admin.deleteRecords(topic, [{ partition: 0, offset: 1n }]);
    expect(await admin.topicRanges(topic)).toMatchObject([{ low: 1n, high: 2n }]);
  });

  it('gives up within seconds where nothing listens, and where nothing answers', async () => {
    const [port] = await freePorts(1);
    await expect(
      openKafkaAdmin({
        ...connectionTo({ bootstrap: [`127.0.0.1:${port ?? 0}`] }),
        connectTimeoutMs: 1500,
      }),
    ).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
      exitCode: 5,
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const silentPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
    try {
      await expect(
        openKafkaAdmin({
          ...connectionTo({ bootstrap: [`127.0.0.1:${silentPort}`] }),
          connectTimeoutMs: 300,
        }),
      ).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE', exitCode: 5 });
    } finally {
      silent.close();
    }
  });
});
