import { randomBytes } from 'node:crypto';
import { openKafkaReads, type FetchedPartition } from '@outbound/kafka';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { ConfigResourceTypes, Partitioners, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import type { ReadOptions } from './read-options.ts';
import { readTopics } from './read-topics.ts';
import { append, connectionTo, newTopic, plainClient } from './test-support/test-topics.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ settings: { 'log.cleaner.backoff.ms': '100' } });
});
afterAll(() => kafka.close());

/** A producer of transactions, always the same one to the broker. */
async function transactional(): Promise<Producer> {
  const producer = plainClient(kafka).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    transactionalId: `t-${randomBytes(5).toString('hex')}`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  return producer;
}

/** Every value, up to the end. */
async function valuesOf(topic: string, options: Partial<ReadOptions> = {}) {
  const values: (string | undefined)[] = [];
  const summary = await readTopics({
    connection: connectionTo(kafka),
    topics: [topic],
    until: 'end',
    ...options,
    onBatch: (records) => void values.push(...records.map(({ value }) => value?.toString())),
  });
  return { values, summary };
}

/** The partition's log as it is stored, as far as one answer goes. */
async function stored(topic: string): Promise<FetchedPartition> {
  const reads = await openKafkaReads(connectionTo(kafka), {
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  });
  try {
    const [facts] = await reads.log.topics([topic]);
    const [answer] = await reads.log.fetch(facts?.partitions[0]?.leader ?? 1, {
      positions: [{ topic, partition: 0, offset: 0n, leaderEpoch: -1 }],
      ...{ maxWaitMs: 100, minBytes: 1, maxBytes: 1_000_000, maxBytesPerPartition: 1_000_000 },
    });
    if (!answer) throw new Error('no answer');
    return answer;
  } finally {
    await reads.close();
  }
}

async function setConfigs(topic: string, configs: Readonly<Record<string, string>>): Promise<void> {
  const admin = plainClient(kafka).admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
      },
    ],
  });
  await admin.disconnect();
}

describe('transactions of other producers', () => {
  it('are read to the last committed record, where cleaning has left only the marker of an aborted one', async () => {
    const configs = {
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0.001',
      'delete.retention.ms': '3600000',
    };
    const topic = await newTopic(kafka, { configs });
    const producer = await transactional();
    const aborted = await producer.transaction();
    await aborted.send({ topic, messages: [{ key: 'a', value: 'undone' }] });
    await aborted.abort();
    const committed = await producer.transaction();
    await committed.send({ topic, messages: [{ key: 'b', value: 'done' }] });
    await committed.commit();
    // All of it was in one segment, which the next record ends: it is cleaned once.
    await setConfigs(topic, { ...configs, 'segment.ms': '100' });
    await append(kafka, topic, [{ key: 'roll', value: 'on' }]);
    const cleaned = await eventually(
      async () => {
        const answer = await stored(topic);
        return !answer.recordSet.includes('undone') && answer;
      },
      { timeoutMs: 60_000 },
    );
    // What makes it hard: the broker still says that this transaction was aborted.
    expect(cleaned.aborted.length).toBe(1);
    const { values, summary } = await valuesOf(topic);
    expect(values[0]).toBe('done');
    const { stdout } = await kafka.tool('console-consumer', [
      ...['--topic', topic, '--from-beginning', '--max-messages', String(values.length)],
      ...['--command-property', 'isolation.level=read_committed', '--timeout-ms', '20000'],
    ]);
    expect(stdout.trim().split('\n')).toEqual(values);
    expect(summary.isCaughtUp).toBe(true);
  });

  it('are waited for while they are open, and then read with what lies behind them', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: 'before' }]);
    const open = await (await transactional()).transaction();
    await open.send({ topic, messages: [{ value: 'in it' }] });
    await append(kafka, topic, [{ value: 'behind' }]);
    const reading = valuesOf(topic, {
      silenceMs: 30_000,
      onBatch: () => undefined,
    });
    const held = await Promise.race([
      reading,
      new Promise((resolve) => setTimeout(() => resolve('held'), 2000)),
    ]);
    expect(held).toBe('held');
    await open.commit();
    const { values, summary } = await reading;
    expect(values).toEqual(['before', 'in it', 'behind']);
    expect(summary.isCaughtUp).toBe(true);
  });

  it('end the reading when they stay open, named by place and remedy, and never as caught up', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: 'before' }]);
    const open = await (await transactional()).transaction();
    await open.send({ topic, messages: [{ value: 'in it' }] });
    await append(kafka, topic, [{ value: 'behind' }]);
    const isTold = { caughtUp: false };
    await expect(
      valuesOf(topic, { silenceMs: 2000, onCaughtUp: () => void (isTold.caughtUp = true) }),
    ).rejects.toMatchObject({
      code: 'TRANSACTION_OPEN',
      message: expect.stringMatching(
        new RegExp(`${topic}/0 from offset 1 on.*end to reach is 3.*kafka-transactions`),
      ) as string,
    });
    expect(isTold.caughtUp).toBe(false);
    await open.abort();
    const { values } = await valuesOf(topic);
    expect(values).toEqual(['before', 'behind']);
  });

  it('hold nothing up behind the end that was to be reached, and no moment is told as current meanwhile', async () => {
    const topic = await newTopic(kafka);
    await append(kafka, topic, [{ value: 'before' }]);
    const open = await (await transactional()).transaction();
    const stop = new AbortController();
    const told: string[] = [];
    await valuesOf(topic, {
      until: 'forever',
      silenceMs: 1000,
      currentEveryMs: 1,
      signal: stop.signal,
      onCaughtUp: async () => {
        told.push('caught up');
        await open.send({ topic, messages: [{ value: 'in it' }] });
        setTimeout(() => {
          told.push('commit');
          open.commit().catch(() => told.push('not committed'));
        }, 3000);
      },
      onCurrent: () => {
        told.push('current');
        if (told.includes('commit')) stop.abort();
      },
    });
    const between = told.slice(told.indexOf('caught up') + 1, told.indexOf('commit'));
    // An answer may have been on its way when the transaction began.
    expect(between.length).toBeLessThan(3);
    expect(told.at(-1)).toBe('current');
  });
});
