import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { CompressionTypes, Kafka, logLevel, type Message } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  LogLines,
  opened,
  provisioned,
  readTopic,
  recordAt,
} from './test-support/kafka-rig.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({
    brokers: 1,
    settings: { 'log.cleaner.backoff.ms': '200', 'log.cleaner.min.cleanable.ratio': '0.01' },
  });
});
afterAll(async () => kafka.close());

async function foreign(topic: string, messages: Message[], compression = CompressionTypes.None) {
  const producer = new Kafka({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({
    topic,
    compression,
    messages: messages.map((message) => ({ partition: 0, ...message })),
  });
  await producer.disconnect();
}

/** The tails that a new session of the source reads, as `topic/partition → commit position`. */
async function tailsOf(
  eventType: ReturnType<typeof anyEventType>,
  source: ReturnType<typeof anySource>,
  log = new LogLines(),
) {
  const session = await opened(await provisioned(kafka, [eventType], { log }), source);
  await session.close();
  return Object.fromEntries(
    Array.from(session.tails, ([lane, { position, eid }]) => {
      expect(eid).toBe(`event-${position.commitLsn}`);
      return [lane, Number(position.commitLsn)];
    }),
  );
}

async function wrote(
  eventType: ReturnType<typeof anyEventType>,
  source: ReturnType<typeof anySource>,
  lsns: readonly number[],
  over: Parameters<typeof recordAt>[4] = {},
) {
  const session = await opened(await provisioned(kafka, [eventType]), source);
  for (const lsn of lsns)
    await session.send([batchOf([recordAt(source, eventType.change, 0, lsn, over)])]);
  await session.close();
}

it('knows the last own record of each partition, and nothing of an empty one', async () => {
  const eventType = anyEventType(3);
  const source = anySource();
  expect(await tailsOf(eventType, source)).toEqual({});
  const session = await opened(await provisioned(kafka, [eventType]), source);
  await session.send([
    batchOf([recordAt(source, eventType.change, 0, 5), recordAt(source, eventType.change, 0, 9)]),
    batchOf([recordAt(source, eventType.change, 2, 7)]),
    batchOf([recordAt(source, eventType.state, 1, 8, { value: null })]),
  ]);
  await session.close();
  expect(await tailsOf(eventType, source)).toEqual({
    [`${eventType.change}/0`]: 9,
    [`${eventType.change}/2`]: 7,
    [`${eventType.state}/1`]: 8,
  });
});

it('looks behind records of others, in any number of batches, plain and gzip', async () => {
  const eventType = anyEventType();
  const source = anySource();
  await wrote(eventType, source, [5]);
  const messages = Array.from({ length: 100 }, (_, index) => ({ value: `foreign ${index}` }));
  await foreign(eventType.change, messages);
  await foreign(eventType.change, messages, CompressionTypes.GZIP);
  await wrote(eventType, anySource(), [99]);
  expect(await tailsOf(eventType, source)).toEqual({ [`${eventType.change}/0`]: 5 });
});

it('does not know a tail that is too far behind others’ records', async () => {
  const eventType = anyEventType();
  const source = anySource();
  await wrote(eventType, source, [5]);
  for (let round = 0; round < 5; round += 1)
    await foreign(
      eventType.change,
      Array.from({ length: 1000 }, () => ({ value: 'x' })),
    );
  expect(await tailsOf(eventType, source)).toEqual({});
});

it('takes no record of another slot, nor one that only looks like ours, nor a transactional one', async () => {
  const eventType = anyEventType();
  const source = anySource();
  await wrote(eventType, source, [5]);
  expect(await tailsOf(eventType, { ...source, slot: 'another' })).toEqual({});
  expect(await tailsOf(eventType, { ...source, timeline: 2 })).toEqual({
    [`${eventType.change}/0`]: 5,
  });
  await foreign(eventType.change, [{ value: 'x', headers: { source_lsn: 'F/F:0@' } }]);
  const producer = new Kafka({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING }).producer({
    transactionalId: `t-${source.systemIdentifier}`,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  const { headers } = recordAt(source, eventType.change, 0, 99);
  await transaction.send({
    topic: eventType.change,
    messages: [{ partition: 0, value: 'x', headers: { ...headers } }],
  });
  await transaction.abort();
  await producer.disconnect();
  expect(await tailsOf(eventType, source)).toEqual({ [`${eventType.change}/0`]: 5 });
});

it('goes on from the last own record in the log after a republish that was cut short (I4)', async () => {
  const eventType = anyEventType();
  const source = anySource();
  await wrote(eventType, source, [1, 2, 3, 4, 5, 1, 2]);
  expect(await tailsOf(eventType, source)).toEqual({ [`${eventType.change}/0`]: 2 });
});

it('does not know what it cannot decode, says so, and opens all the same (trap 3.2-14)', async () => {
  const eventType = anyEventType();
  const source = anySource();
  await provisioned(kafka, [eventType]);
  const { code } = await kafka.tool(
    'console-producer',
    ['--topic', eventType.change, '--compression-codec', 'lz4'],
    { input: 'x\n' },
  );
  expect(code).toBe(0);
  const log = new LogLines();
  expect(await tailsOf(eventType, source, log)).toEqual({});
  expect(log.lines.filter((line) => line.startsWith('warn tails unknown'))).toHaveLength(1);
});

it('finds the tail of a compacted partition from which everything before was removed', async () => {
  const eventType = anyEventType();
  const source = anySource();
  const session = await opened(await provisioned(kafka, [eventType]), source);
  await kafka.tool('configs', [
    ...['--alter', '--entity-type', 'topics', '--entity-name', eventType.state],
    ...['--add-config', 'segment.ms=100,max.compaction.lag.ms=100'],
  ]);
  // One key: compaction leaves its last record only, and the active segment.
  let lsn = 0;
  await eventually(
    async () => {
      lsn += 1;
      await session.send([
        batchOf([
          recordAt(source, eventType.state, 0, lsn, { key: 'same', timestampMs: Date.now() }),
        ]),
      ]);
      const left = await readTopic(kafka.bootstrap, eventType.state);
      return lsn > 10 && left.length < lsn / 2;
    },
    { timeoutMs: 90_000, intervalMs: 300 },
  );
  await session.close();
  expect(await tailsOf(eventType, source)).toEqual({ [`${eventType.state}/0`]: lsn });
});
