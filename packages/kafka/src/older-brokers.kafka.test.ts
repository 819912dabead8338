import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { openKafkaAdmin, type KafkaAdmin } from './admin/kafka-admin.ts';
import { openRecordSender } from './produce/record-sender.ts';
import type { KafkaReads } from './ports/kafka-reads.ts';
import { openKafkaReads } from './reads/open-kafka-reads.ts';
import { startOlderKafka, type OlderKafka } from './test-support/older-kafka.ts';
import { anyName, connectionTo, silentLog } from './test-support/test-topics.ts';
import { transactionalRig } from './test-support/transactional-rig.ts';
import { ByteWriter } from './wire/byte-writer.ts';

const broughtBy36 = 'message.timestamp.after.max.ms';

// 3.0 takes any name for a setting without a word.
describe.each([
  ['3.0.2', []],
  ['3.5.2', [broughtBy36]],
])('with Kafka %s', (version, unknownConfigs) => {
  let kafka: OlderKafka;
  let admin: KafkaAdmin;
  let reads: KafkaReads;
  beforeAll(async () => {
    kafka = await startOlderKafka(version);
    admin = await openKafkaAdmin(connectionTo(kafka.bootstrap), silentLog);
    reads = await openKafkaReads(connectionTo(kafka.bootstrap), silentLog);
  });
  afterAll(async () => {
    await admin.close();
    await reads.close();
    await kafka[Symbol.asyncDispose]();
  });

  async function newTopic(): Promise<string> {
    const topic = anyName('topic');
    await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, configs: {} }]);
    await eventually(async () => (await reads.log.topics([topic]))[0]?.errorCode === 0);
    return topic;
  }

  it('topics are made without what only Kafka 3.6 knows', async () => {
    const topic = anyName('topic');
    const configs = { [broughtBy36]: '9223372036854775807', 'retention.ms': '86400003' };
    expect(
      await admin.createTopics([{ topic, partitions: 2, replicationFactor: 1, configs }]),
    ).toEqual([{ topic, isNew: true, unknownConfigs }]);
    const config = await eventually(() => admin.topicConfig(topic, ['retention.ms']));
    expect([...config]).toEqual([['retention.ms', '86400003']]);
    expect(await admin.topics()).toContain(topic);
    expect(await admin.topicRanges(topic)).toHaveLength(2);
  });

  it('records are written and read, with topic ids', async () => {
    const topic = await newTopic();
    const sender = await openRecordSender({
      connection: connectionTo(kafka.bootstrap),
      topic,
      partitionOf: () => 0,
      log: silentLog,
    });
    await sender.send([
      { key: 'a', value: Buffer.from('the value'), headers: {}, timestampMs: Date.now() },
    ]);
    await sender.close();
    const topicId = (await reads.log.topics([topic]))[0]?.topicId;
    expect(topicId).toMatch(/^[0-9a-f]{32}$/);
    expect(await reads.log.offsets(1, [{ topic, partition: 0 }], 'stable-end')).toMatchObject([
      { errorCode: 0, offset: 1n },
    ]);
    const [fetched] = await reads.log.fetch(1, {
      positions: [{ topic, topicId, partition: 0, offset: 0n, leaderEpoch: 0 }],
      maxWaitMs: 1000,
      ...{ minBytes: 1, maxBytes: 100_000, maxBytesPerPartition: 100_000 },
    });
    expect(fetched).toMatchObject({ errorCode: 0, highWatermark: 1n, logStartOffset: 0n });
    expect(fetched?.recordSet.includes('the value')).toBe(true);
  });

  it('a transaction is committed, and what an older producer left open is not there', async () => {
    const { at, producer, read } = await transactionalRig(kafka.bootstrap, await newTopic());
    const older = await producer();
    await older.transactions.add([at]);
    await older.write('never');
    const newer = await producer();
    for (const key of ['a', 'b']) {
      await newer.transactions.add([at]);
      await newer.write(key);
      await newer.transactions.commit();
    }
    await expect(older.transactions.commit()).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
    expect((await eventually(() => read())).keys).toEqual(['a', 'b']);
  });

  it('a static member joins, commits and is found again', async () => {
    const topic = await newTopic();
    const group = anyName('group');
    const coordinator = reads.group(group);
    const request = {
      memberId: '',
      groupInstanceId: 'pod-0',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      protocols: [
        {
          name: 'range',
          metadata: new ByteWriter().int16(0).int32(1).string(topic).int32(-1).written(),
        },
      ],
    };
    const joined = await eventually(
      async () => {
        const answer = await coordinator.join(request);
        return answer.errorCode === 0 && answer;
      },
      { timeoutMs: 30_000 },
    );
    const me = {
      memberId: joined.memberId,
      generationId: joined.generationId,
      groupInstanceId: 'pod-0',
    };
    const assignment = Buffer.from('share');
    expect(await coordinator.sync(me, [{ memberId: me.memberId, assignment }])).toEqual({
      errorCode: 0,
      assignment,
    });
    expect(
      await coordinator.commit(me, [{ topic, partition: 0, offset: 1n, metadata: 'm' }]),
    ).toMatchObject([{ errorCode: 0 }]);
    expect(await coordinator.committed([{ topic, partition: 0 }])).toMatchObject([
      { errorCode: 0, offset: 1n, metadata: 'm' },
    ]);
    expect((await admin.groups()).find((each) => each.group === group)).toMatchObject({
      state: 'Stable',
    });
    expect(await coordinator.leave(me)).toEqual({ errorCode: 0 });
  });
});
