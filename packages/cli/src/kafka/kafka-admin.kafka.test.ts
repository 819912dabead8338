import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePorts, startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaAdmin, type KafkaAdmin } from './kafka-admin.ts';
import { connectionTo, newTopic, plainClient } from './test-support/kafka-topics.ts';

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
