import { aloneInBatchBytes } from '@outbound/kafka';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { systemClock } from '@outbound/service-kit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AckTracker } from '../ack/ack-tracker.ts';
import type { Lsn } from '../wal/lsn.ts';
import { sessionTiming } from './kafka-session.ts';
import { LaneSender } from './lane-sender.ts';
import { refusedEvent } from './refused-event.ts';
import { defaultSendLimits } from './send-plan.ts';
import { transactionalIdOf } from './transactional-id.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  LogLines,
  opened,
  provisioned,
  readTopic,
  recordAt,
  sendUntilStored,
} from './test-support/kafka-rig.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(async () => kafka.close());

async function session(
  eventType: ReturnType<typeof anyEventType>,
  source = anySource(),
  over: Parameters<typeof provisioned>[2] = {},
) {
  const publisher = await provisioned(kafka, [eventType], over);
  const one = await opened(publisher, source);
  onTestFinished(async () => one.close());
  return { publisher, source, session: one };
}

describe('send', () => {
  it.each(['none', 'gzip'] as const)(
    'stores key, value, headers and time as they are, tombstones too (compression %s)',
    async (compression) => {
      const eventType = anyEventType(2);
      const { session: one, source } = await session(eventType, anySource(), { compression });
      const timestampMs = Date.now() - 1234;
      const value = Buffer.from('{ "n" : 12345678901234567890, "é": "\\u00e9" }');
      const batches = [
        batchOf([
          recordAt(source, eventType.change, 0, 1, { value, timestampMs }),
          recordAt(source, eventType.change, 0, 2),
        ]),
        batchOf([recordAt(source, eventType.change, 1, 3)]),
        batchOf([recordAt(source, eventType.state, 1, 4, { value: null })]),
      ];
      const deliveries = await one.send(batches);
      expect(deliveries).toHaveLength(3);
      for (const delivery of deliveries) expect(delivery).toMatchObject({ baseOffset: 0n });
      const [first, second, third] = await readTopic(kafka.bootstrap, eventType.change);
      expect(first?.value?.equals(value)).toBe(true);
      expect(first).toMatchObject({
        partition: 0,
        offset: '0',
        key: Buffer.from('key-1'),
        timestamp: String(timestampMs),
      });
      expect(String(first?.headers?.['ce_id'])).toBe('event-1');
      expect([second?.offset, third?.partition]).toEqual(['1', 1]);
      expect(await readTopic(kafka.bootstrap, eventType.state)).toMatchObject([
        { key: Buffer.from('key-4'), value: null },
      ]);
    },
  );

  it('tells which partition a broker refuses, and does not lose the others’ confirmations (trap 3.1-7)', async () => {
    const eventType = anyEventType(2);
    const { session: one, source } = await session(eventType);
    const good = batchOf([recordAt(source, eventType.change, 0, 1)]);
    const nowhere = batchOf([recordAt(source, eventType.change, 5, 2)]);
    expect(await one.send([good, nowhere])).toEqual([
      { topic: eventType.change, partition: 0, baseOffset: 0n },
    ]);
    await expect(one.send([nowhere])).rejects.toMatchObject({
      code: 'SINK_PARTITION_UNAVAILABLE',
      message: `partition ${eventType.change}/5 has no leader`,
    });
  });

  it('says in the broker’s words which batch is refused for its content, and sends its records in others', async () => {
    const eventType = anyEventType(2);
    const { session: one, source } = await session(eventType);
    await kafka.tool('configs', [
      '--alter',
      '--entity-type',
      'topics',
      '--entity-name',
      eventType.change,
      '--add-config',
      'max.message.bytes=1000',
    ]);
    const records = [1, 2].map((lsn) =>
      recordAt(source, eventType.change, 0, lsn, { value: Buffer.alloc(600) }),
    );
    const elsewhere = batchOf([recordAt(source, eventType.change, 1, 3)]);
    const answers = await one.send([batchOf(records), elsewhere]);
    expect(answers).toContainEqual({
      topic: eventType.change,
      partition: 0,
      refusal: expect.stringContaining('MESSAGE_TOO_LARGE') as string,
      isForSize: true,
    });
    expect(answers).toContainEqual({ topic: eventType.change, partition: 1, baseOffset: 0n });
    for (const [index, record] of records.entries())
      expect(await one.send([batchOf([record])])).toMatchObject([{ baseOffset: BigInt(index) }]);
    const stored = await readTopic(kafka.bootstrap, eventType.change);
    expect(stored.map(({ partition }) => partition).sort()).toEqual([0, 0, 1]);

    // Sizes are known to the byte: what is refused of one record is refused of every larger one, and of no smaller one.
    const takes = (valueBytes: number) =>
      recordAt(source, eventType.change, 0, 4, { value: Buffer.alloc(valueBytes) });
    const largest = takes(1000 - aloneInBatchBytes(takes(600)) + 600);
    const tooLarge = takes((largest.value?.length ?? 0) + 1);
    expect([largest, tooLarge].map(aloneInBatchBytes)).toEqual([1000, 1001]);
    expect(await one.send([batchOf([tooLarge])])).toMatchObject([{ isForSize: true }]);
    expect(await one.send([batchOf([largest])])).toMatchObject([{ baseOffset: 2n }]);
  });

  it('says which records of a batch a broker refuses each by itself', async () => {
    const eventType = anyEventType(1);
    const { session: one, source } = await session(eventType);
    await kafka.tool('configs', [
      '--alter',
      '--entity-type',
      'topics',
      '--entity-name',
      eventType.change,
      '--add-config',
      'message.timestamp.after.max.ms=3600000',
    ]);
    const records = [0, 1, 2, 3].map((index) => ({
      ...recordAt(source, eventType.change, 0, index + 1),
      timestampMs: Date.now() + (index % 2 === 1 ? 86_400_000 : 0),
    }));
    const { topic, partition } = batchOf(records);
    expect(await one.send([batchOf(records)])).toEqual([
      {
        ...{ topic, partition, named: [1, 3] },
        refusal: expect.stringContaining('INVALID_TIMESTAMP') as string,
      },
    ]);
  });

  it('takes a backlog of tombstones with long keys and headers, which is a hundred times what its values are', async () => {
    const eventType = anyEventType();
    const { session: one, source } = await session(eventType);
    const refused: string[] = [];
    const tracker = new AckTracker();
    const transaction = tracker.begin();
    const sender = new LaneSender({
      clock: systemClock,
      limits: defaultSendLimits,
      backoffMs: () => 50,
      prove: () => Promise.resolve(),
      onDelivered: ({ transactions }) => {
        for (const each of transactions) tracker.delivered(each);
      },
      onRefused: (record, _, { refusal }) => refusedEvent(record, refusal),
      onSendFailed: () => undefined,
      onFailed: (error) => refused.push(error.message),
    });
    for (let lsn = 1; lsn <= 1500; lsn += 1) {
      transaction.undelivered += 1;
      const plain = recordAt(source, eventType.state, 0, lsn, { value: null });
      const key = `${lsn}-`.padEnd(255, 'k');
      const headers = { ...plain.headers, flow_id: 'f'.repeat(8000), ce_subject: key };
      sender.enqueue({ ...plain, key, headers }, transaction);
    }
    tracker.commit(transaction, 1501n as Lsn);
    sender.start(one);
    await sender.drained();
    expect(refused).toEqual([]);
    expect(tracker.ackLsn).toBe(1501n);
    const stored = await readTopic(kafka.bootstrap, eventType.state);
    expect(stored.map(({ key }) => Number(String(key).split('-')[0]))).toEqual(
      Array.from({ length: 1500 }, (_, index) => index + 1),
    );
  });

  it('takes more at once than a broker takes in one request', async () => {
    const eventType = anyEventType(120);
    const { session: one, source } = await session(eventType);
    const value = Buffer.alloc(900 * 1024);
    const batches = Array.from({ length: 120 }, (_, partition) =>
      batchOf([recordAt(source, eventType.change, partition, partition, { value })]),
    );
    expect(await sendUntilStored(one, batches)).toHaveLength(120);
  });

  it('goes on behind sequence 2^31 − 1 without a gap (trap 10c)', async () => {
    const eventType = anyEventType();
    const { session: one, source } = await session(eventType, anySource(), {
      firstSequence: 2 ** 31 - 7,
    });
    for (let round = 0; round < 4; round += 1) {
      const records = Array.from({ length: 5 }, (_, index) =>
        recordAt(source, eventType.change, 0, round * 5 + index),
      );
      expect(await one.send([batchOf(records)])).toMatchObject([{ baseOffset: BigInt(round * 5) }]);
    }
    expect(await readTopic(kafka.bootstrap, eventType.change)).toHaveLength(20);
  });

  it('refuses another batch for a lane whose batch is not confirmed (trap 3.1-2)', async () => {
    const eventType = anyEventType();
    const { session: one, source } = await session(eventType);
    const out = one.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
    await expect(
      one.send([batchOf([recordAt(source, eventType.change, 0, 2)])]),
    ).rejects.toMatchObject({ code: 'INVARIANT_BROKEN' });
    expect(await out).toHaveLength(1);
  });

  it('logs no payload, key or header, whatever goes wrong', async () => {
    const eventType = anyEventType();
    const log = new LogLines();
    const { session: one, source } = await session(eventType, anySource(), { log });
    const secret = batchOf([
      recordAt(source, eventType.change, 3, 1, {
        key: 'k-secret',
        value: Buffer.from('v-secret'),
        headers: { h: 'h-secret' },
      }),
    ]);
    await expect(one.send([secret])).rejects.not.toThrow('secret');
    await one.close();
    await expect(one.send([secret])).rejects.not.toThrow('secret');
    expect(log.lines.join('\n')).not.toContain('-secret');
    expect(log.lines.join('\n')).toContain('producer open');
  });
});

describe('a broker that goes away', () => {
  it('costs retries and never a double: the same batch is stored once over a kill and a restart', async () => {
    const eventType = anyEventType();
    const { session: one, source } = await session(eventType);
    await one.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
    await kafka.broker(1).kill();
    const batch = batchOf([recordAt(source, eventType.change, 0, 2)]);
    await expect(one.send([batch])).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' });
    await kafka.broker(1).start();
    expect(await sendUntilStored(one, [batch])).toMatchObject([{ baseOffset: 1n }]);
    expect(
      (await readTopic(kafka.bootstrap, eventType.change)).map(({ key }) => String(key)),
    ).toEqual(['key-1', 'key-2']);
  });

  it('does not hold a close: what is in flight is rejected at once', async () => {
    const eventType = anyEventType();
    const { session: one, source } = await session(eventType);
    await kafka.broker(1).pause();
    try {
      const out = one.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
      const rejected = expect(out).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' });
      const beganMs = performance.now();
      await one.close();
      await rejected;
      expect(performance.now() - beganMs).toBeLessThan(500);
    } finally {
      await kafka.broker(1).resume();
    }
  });

  it('is given up when it is silent for the limit, and not waited for until it wakes (trap 10d)', async () => {
    const eventType = anyEventType();
    const { session: one, source } = await session(eventType);
    const batch = batchOf([recordAt(source, eventType.change, 0, 1)]);
    await kafka.broker(1).pause();
    const beganMs = performance.now();
    try {
      await expect(one.send([batch])).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' });
      expect(performance.now() - beganMs).toBeGreaterThan(4500);
      expect(performance.now() - beganMs).toBeLessThan(8000);
    } finally {
      await kafka.broker(1).resume();
    }
    expect(await sendUntilStored(one, [batch])).toHaveLength(1);
    expect(await readTopic(kafka.bootstrap, eventType.change)).toHaveLength(1);
  });
});

describe('fencing (trap 10e)', () => {
  it('refuses the older session on every partition that the newer one has written to, and on no other', async () => {
    const eventType = anyEventType(2);
    const { publisher, session: older, source } = await session(eventType);
    await older.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
    const newer = await opened(publisher, source);
    onTestFinished(async () => newer.close());
    // Nothing of the newer session is here yet, so this can be no stale record after a newer one.
    await older.send([batchOf([recordAt(source, eventType.change, 0, 2)])]);
    await newer.send([batchOf([recordAt(source, eventType.change, 0, 2)])]);
    const late = batchOf([recordAt(source, eventType.change, 0, 3)]);
    await expect(older.send([late])).rejects.toMatchObject({ code: 'SINK_FENCED' });
    await expect(older.send([late])).rejects.toMatchObject({ code: 'SINK_FENCED' });
    await older.send([batchOf([recordAt(source, eventType.change, 1, 4)])]);
    expect(
      (await readTopic(kafka.bootstrap, eventType.change)).map(
        ({ partition, key }) => `${partition}:${String(key)}`,
      ),
    ).toEqual(['0:key-1', '0:key-2', '0:key-2', '1:key-4']);
  });

  it('fences the relay of the old server after a failover, and never that of another slot', async () => {
    const eventType = anyEventType();
    const { publisher, session: older, source } = await session(eventType);
    await older.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
    const other = await opened(publisher, { ...source, slot: 'another' });
    onTestFinished(async () => other.close());
    await other.send([batchOf([recordAt(source, eventType.change, 0, 2)])]);
    await older.send([batchOf([recordAt(source, eventType.change, 0, 3)])]);
    const promoted = await opened(publisher, { ...source, timeline: 2 });
    onTestFinished(async () => promoted.close());
    await promoted.send([batchOf([recordAt(source, eventType.change, 0, 4)])]);
    await expect(
      older.send([batchOf([recordAt(source, eventType.change, 0, 5)])]),
    ).rejects.toMatchObject({ code: 'SINK_FENCED' });
  });

  it('asks to be renewed at the set age', async () => {
    const eventType = anyEventType();
    const { session: young } = await session(eventType);
    expect(young.mustRenew()).toBe(false);
    const { session: old } = await session(eventType, anySource(), {
      timing: { ...sessionTiming, renewAfterMs: 0 },
    });
    expect(old.mustRenew()).toBe(true);
    // Kafka forgets a transactional id after seven days; what was forgotten fences nobody.
    expect(sessionTiming.renewAfterMs).toBeLessThanOrEqual(86_400_000);
  });

  it('names the source, and not the timeline, in the transactional id', () => {
    const source = anySource();
    expect(transactionalIdOf({ ...source, timeline: 9 })).toBe(transactionalIdOf(source));
    expect(transactionalIdOf(source)).toMatch(/^outbound-relay-[0-9a-f]{8}$/);
    expect(transactionalIdOf({ ...source, database: 'b' })).not.toBe(transactionalIdOf(source));
  });
});
