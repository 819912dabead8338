import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { openKafkaReads } from '../reads/open-kafka-reads.ts';
import { anyName, connectionTo, silentLog, Stranger } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { openKafkaAdmin, type KafkaAdmin } from './kafka-admin.ts';

let kafka: KafkaCluster;
let stranger: Stranger;
let admin: KafkaAdmin;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1, settings: { 'auto.create.topics.enable': 'true' } });
  stranger = new Stranger(kafka.bootstrap);
  admin = await openKafkaAdmin(connectionTo(kafka.bootstrap), silentLog);
});
afterAll(async () => {
  await admin.close();
  await stranger.close();
  await kafka.close();
});

describe('the cluster and its topics', () => {
  it('are described', async () => {
    const topic = await stranger.topic(2);
    const { clusterId, controller, brokers } = await admin.brokers();
    expect(clusterId).not.toBe('');
    expect(controller).toBe(1);
    expect(brokers.map(({ id, host, port }) => [id, `${host}:${port}`])).toEqual([
      [1, kafka.bootstrap[0]],
    ]);
    expect(await admin.topics()).toContain(topic);
    expect(await admin.replicationFactor(topic)).toBe(1);
    await stranger.write(topic, ['a', 'b', 'c'], 1);
    expect(await admin.topicRanges(topic)).toEqual([
      { partition: 0, low: 0n, high: 0n, leader: 1, replicas: [1] },
      { partition: 1, low: 0n, high: 3n, leader: 1, replicas: [1] },
    ]);
  });

  it('are made with their settings; what is there already is left as it is', async () => {
    const topic = anyName('made');
    const wish = { topic, partitions: 3, replicationFactor: 1 };
    expect(
      await admin.createTopics([{ ...wish, configs: { 'retention.ms': '86400001' } }]),
    ).toEqual([{ topic, isNew: true, unknownConfigs: [] }]);
    expect(await admin.createTopics([{ ...wish, configs: { 'retention.ms': '5' } }])).toEqual([
      { topic, isNew: false, unknownConfigs: [] },
    ]);
    const config = await eventually(() =>
      admin.topicConfig(topic, ['retention.ms', 'no.such.setting']),
    );
    expect([...config]).toEqual([['retention.ms', '86400001']]);
    expect(await admin.topicRanges(topic)).toHaveLength(3);
  });

  it('are made without the settings that the cluster does not know, and it says which', async () => {
    const topic = anyName('made');
    const configs = { 'a.setting.of.kafka.9': 'x', 'retention.ms': '86400002', 'another.one': 'y' };
    expect(
      await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, configs }]),
    ).toEqual([
      {
        topic,
        isNew: true,
        unknownConfigs: expect.arrayContaining(['a.setting.of.kafka.9', 'another.one']) as string[],
      },
    ]);
    const config = await eventually(() => admin.topicConfig(topic, ['retention.ms']));
    expect(config.get('retention.ms')).toBe('86400002');
  });

  it('are refused in the brokers’ own words', async () => {
    await expect(
      admin.createTopics([
        { topic: anyName('made'), partitions: 1, replicationFactor: 9, configs: {} },
      ]),
    ).rejects.toMatchObject({
      code: 'KAFKA_REJECTED',
      message: expect.stringContaining('INVALID_REPLICATION_FACTOR') as string,
    });
  });

  it('are missing by name, and nothing is made by asking', async () => {
    const topic = anyName('missing');
    const missing = { code: 'KAFKA_TOPIC_MISSING', message: `topic ${topic} does not exist` };
    await expect(admin.topicRanges(topic)).rejects.toMatchObject(missing);
    await expect(admin.topicConfig(topic, [])).rejects.toMatchObject(missing);
    await expect(admin.offsetsAt(topic, 0)).rejects.toMatchObject(missing);
    await expect(admin.deleteRecords(topic, [])).rejects.toMatchObject(missing);
    expect(await admin.topics()).not.toContain(topic);
  });
});

describe('offsets', () => {
  it('are found by time, or are the end', async () => {
    const topic = await stranger.topic(2);
    await stranger.write(topic, ['a', 'b', 'c'], 1);
    expect(await admin.offsetsAt(topic, stranger.firstTimeMs + 1500)).toEqual([
      { partition: 0, offset: 0n },
      { partition: 1, offset: 2n },
    ]);
    expect(await admin.offsetsAt(topic, Date.now() + 60_000)).toEqual([
      { partition: 0, offset: 0n },
      { partition: 1, offset: 3n },
    ]);
  });

  it('begin where records were deleted', async () => {
    const topic = await stranger.topic(2);
    await stranger.write(topic, ['a', 'b', 'c'], 1);
    await admin.deleteRecords(topic, [{ partition: 1, offset: 2n }]);
    expect(await admin.topicRanges(topic)).toMatchObject([
      { low: 0n, high: 0n },
      { low: 2n, high: 3n },
    ]);
    await expect(admin.deleteRecords(topic, [{ partition: 1, offset: 9n }])).rejects.toMatchObject({
      code: 'KAFKA_REJECTED',
    });
    await expect(admin.deleteRecords(topic, [{ partition: 7, offset: 1n }])).rejects.toMatchObject({
      code: 'KAFKA_PARTITION_MISSING',
    });
  });
});

describe('a group', () => {
  async function member(group: string) {
    const reads = await openKafkaReads(connectionTo(kafka.bootstrap), silentLog);
    onTestFinished(async () => reads.close());
    const coordinator = reads.group(group);
    const subscription = new ByteWriter().int16(0).int32(1).string('t').int32(-1).written();
    const request = {
      memberId: '',
      groupInstanceId: undefined,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      protocols: [{ name: 'range', metadata: subscription }],
    };
    const answer = await eventually(
      async () => {
        const { memberId } = await coordinator.join(request);
        const joined = await coordinator.join({ ...request, memberId });
        return joined.errorCode === 0 && joined;
      },
      { timeoutMs: 30_000 },
    );
    const { memberId, generationId } = answer;
    const me = { memberId, generationId, groupInstanceId: undefined };
    await coordinator.sync(me, [{ memberId, assignment: Buffer.alloc(0) }]);
    return { coordinator, me };
  }

  it('is moved while nobody is in it, whether it exists or not', async () => {
    const topic = await stranger.topic(2);
    const group = anyName('group');
    expect(await admin.groupOffsets(group)).toEqual([]);
    await admin.setGroupOffsets(group, topic, [{ partition: 1, offset: 5n }]);
    await admin.setGroupOffsets(group, topic, [
      { partition: 1, offset: 2n },
      { partition: 0, offset: 1n },
    ]);
    expect(await admin.groupOffsets(group)).toEqual([
      { topic, partition: 0, offset: 1n },
      { topic, partition: 1, offset: 2n },
    ]);
    expect((await admin.groups()).find((each) => each.group === group)).toMatchObject({
      state: 'Empty',
      members: [],
    });
    await expect(
      admin.setGroupOffsets(group, topic, [{ partition: 2, offset: 1n }]),
    ).rejects.toMatchObject({ code: 'KAFKA_PARTITION_MISSING' });
  });

  it('is not moved while somebody is in it, and it says who', async () => {
    const topic = await stranger.topic();
    const group = anyName('group');
    const { coordinator, me } = await member(group);
    await coordinator.commit(me, [{ topic, partition: 0, offset: 3n, metadata: '' }]);
    expect((await admin.groups()).find((each) => each.group === group)).toMatchObject({
      state: 'Stable',
      protocolType: 'consumer',
      members: [{ id: me.memberId, clientId: 'layer-test', host: '127.0.0.1' }],
    });
    await expect(
      admin.setGroupOffsets(group, topic, [{ partition: 0, offset: 0n }]),
    ).rejects.toMatchObject({
      code: 'KAFKA_GROUP_NOT_EMPTY',
      message: expect.stringContaining('layer-test at 127.0.0.1') as string,
    });
    expect(await admin.groupOffsets(group)).toEqual([{ topic, partition: 0, offset: 3n }]);
    await coordinator.leave(me);
    await admin.setGroupOffsets(group, topic, [{ partition: 0, offset: 0n }]);
    expect(await admin.groupOffsets(group)).toEqual([{ topic, partition: 0, offset: 0n }]);
  });
});

it('says that nobody answers', async () => {
  await expect(openKafkaAdmin(connectionTo(['127.0.0.1:1']), silentLog)).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: expect.stringContaining('127.0.0.1:1') as string,
  });
});
