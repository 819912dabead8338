import { randomBytes } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newTopic } from '../packages/cli/src/kafka/test-support/kafka-topics.ts';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { testDelivery, TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from './support/test-stack.ts';

let stack: TestStack;
let pipeline: TestPipeline;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.[Symbol.asyncDispose]());

const changes = 'catalog.product-change';
const state = 'catalog.product';
const keys = ['a', 'b', 'c', 'd', 'e'];
const versions = 8;

beforeEach(async () => {
  pipeline = await TestPipeline.create(stack);
  await EntityWriter.prepare(pipeline.sql);
  return async () => pipeline[Symbol.asyncDispose]();
});

async function write(): Promise<void> {
  const writer = new EntityWriter(pipeline.sql);
  for (let version = 1; version <= versions; version += 1)
    for (const key of keys) await writer.write(key, version === versions ? 'D' : 'U');
}

async function replay(...argv: readonly string[]) {
  return outbound(['--json', 'replay', ...argv], {
    env: {
      OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
      OUTBOUND_SLOT: pipeline.slot,
    },
  });
}

interface Seen {
  readonly key: string;
  readonly at: { readonly partition: number; readonly offset: number };
  readonly eid: string;
  readonly isReplay: boolean;
  readonly hasPosition: boolean;
  readonly value: string;
}

/** A member of the group, until `enough` records came; commits what it has. `whileRunning` is done before it leaves. */
async function consume(
  groupId: string,
  topic: string,
  enough: number,
  whileRunning: () => Promise<void> = () => Promise.resolve(),
): Promise<Seen[]> {
  const kafka = new Kafka({
    brokers: stack.kafka.directBootstrap,
    clientId: 'billing',
    logLevel: logLevel.NOTHING,
  });
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  const seen: Seen[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message: { key, value, headers, offset } }) => {
      seen.push({
        key: String(key),
        at: { partition, offset: Number(offset) },
        eid: String(headers?.['ce_id']),
        isReplay: headers?.['replay']?.toString() === 'true',
        hasPosition: headers?.['source_lsn'] !== undefined,
        value: String(value),
      });
      return Promise.resolve();
    },
  });
  try {
    await eventually(() => seen.length >= enough, { timeoutMs: 60_000 });
    await whileRunning();
  } finally {
    await consumer.stop();
    await consumer.disconnect();
  }
  return seen;
}

const outboxRows = async () =>
  (
    await pipeline.sql.query<{ id: string; aggregateid: string; payload: string }>(
      'select id, aggregateid, payload::text from outbox order by version, aggregateid',
    )
  ).rows;

test('a stopped group is set back to an event, told before what comes again, and gets exactly that', async () => {
  await pipeline.startRelay();
  await write();
  await pipeline.caughtUp();
  const topic = pipeline.topic(changes);
  const group = `billing-${randomBytes(3).toString('hex')}`;
  const total = keys.length * versions;
  const first = await consume(group, topic, total, async () => {
    const running = await replay('group', group, changes, '--to-offset', '0', '--yes');
    expect(running.code).toBe(6);
    expect(running.err).toContain('billing at');
  });
  expect(first).toHaveLength(total);

  const eid = first.filter(({ key }) => key === 'c')[4]?.eid ?? '';
  const asked = await replay('group', group, changes, '--to-event', eid);
  expect(asked).toMatchObject({ code: 4 });
  expect(asked.err).toMatch(/partition +from +to +again/);
  const moved = await replay('group', group, changes, '--to-event', eid, '--yes');
  expect(moved, moved.err).toMatchObject({ code: 0 });
  const { partitions } = moved.json()[0] as {
    partitions: { partition: number; to: number; again: number | null }[];
  };
  const told = partitions.reduce((sum, each) => sum + (each.again ?? 0), 0);
  const toOf = new Map(partitions.map(({ partition, to }) => [partition, to]));
  const again = first.filter(({ at }) => at.offset >= (toOf.get(at.partition) ?? 0)).length;
  // Offsets: the ends of transactions have some, too.
  if (testDelivery === 'exactly-once') expect(told).toBeGreaterThanOrEqual(again);
  else expect(told).toBe(again);
  expect(again).toBeGreaterThan(0);
  expect(again).toBeLessThan(total);

  const second = await consume(group, topic, again);
  expect(second).toHaveLength(again);
  expect(second.filter(({ key }) => key === 'c').map(({ eid: each }) => each)).toEqual(
    first
      .filter(({ key }) => key === 'c')
      .slice(4)
      .map(({ eid: each }) => each),
  );
  for (const [argv, code] of [
    [['nobody', changes, '--to-offset', '0'], 'GROUP_UNKNOWN'],
    [[group, 'no-such-topic', '--to-offset', '0'], 'TOPIC_MISSING'],
    [[group, changes, '--to-event', '01930e2a-7b1c-7000-8000-000000000002'], 'EVENT_NOT_FOUND'],
  ] as const) {
    const refused = await replay('group', ...argv, '--yes');
    expect(refused.code, code).toBe(2);
    expect(refused.err).toContain(code);
  }
  console.log(`replay of a group: ${total} records, set back to an event, ${again} came again`);
});

test('retained events come again on a side topic: same ids and bytes, marked, each key in order', async () => {
  await pipeline.startRelay();
  await write();
  await pipeline.caughtUp();
  const side = await newTopic(stack.kafka, { partitions: 4 });
  const run = await replay('events', '--key', 'a', '--key', 'd', '--to-topic', side, '--yes');
  expect(run, run.err).toMatchObject({ code: 0 });
  expect(run.err).toContain(`16 events of 2 entities (${changes}) will be published again`);
  expect(run.json()).toMatchObject([{ topic: side, published: 16 }]);
  const seen = await consume('side', side, 16);
  expect(seen.every(({ isReplay, hasPosition }) => isReplay && !hasPosition)).toBe(true);
  const rows = await outboxRows();
  for (const key of ['a', 'd'])
    expect(seen.filter((each) => each.key === key).map(({ eid, value }) => [eid, value])).toEqual(
      rows.filter(({ aggregateid }) => aggregateid === key).map(({ id, payload }) => [id, payload]),
    );
});

test('a compacted topic is refused, and so is one that its events do not belong to, and nothing is written there', async () => {
  await pipeline.startRelay();
  await write();
  await pipeline.caughtUp();
  const both = await newTopic(stack.kafka, { configs: { 'cleanup.policy': 'compact,delete' } });
  for (const [target, code] of [
    [pipeline.topic(state), 'TOPIC_COMPACTED'],
    [both, 'TOPIC_COMPACTED'],
    ['catalog.category-change', 'TOPIC_FOREIGN'],
    ['no-such-topic', 'TOPIC_MISSING'],
  ] as const) {
    const refused = await replay('events', '--key', 'a', '--to-topic', target, '--yes');
    expect(refused.code, target).toBe(2);
    expect(refused.err).toContain(code);
  }
  const unfiltered = await replay('events', '--to-topic', changes, '--yes');
  expect(unfiltered.err).toContain('FILTER_MISSING');
  const { violations, duplicates } = await judgePipeline(pipeline);
  expect(violations).toEqual([]);
  expect(duplicates).toBe(0);
});

test('the topic with every change takes a replay of what the relay has published, and not of what it has not', async () => {
  const relay = await pipeline.startRelay();
  await write();
  await pipeline.caughtUp();
  const run = await replay('events', '--event-type', changes, '--to-topic', changes, '--yes');
  expect(run, run.err).toMatchObject({ code: 0 });
  const total = keys.length * versions;
  const { violations, duplicates } = await judgePipeline(pipeline, { repeatedByPeople: total });
  expect(violations).toEqual([]);
  expect(duplicates).toBe(total);

  await relay.terminate();
  await new EntityWriter(pipeline.sql).write('a');
  const early = await replay('events', '--key', 'a', '--to-topic', changes, '--wait', '0', '--yes');
  expect(early.code).toBe(1);
  expect(early.err).toContain('RELAY_BEHIND');
  // The relay's own place in each lane is not moved by replays: what follows is published once.
  await pipeline.startRelay();
  await pipeline.caughtUp();
  const after = await judgePipeline(pipeline, { repeatedByPeople: total });
  expect(after.violations).toEqual([]);
  expect(after.duplicates).toBe(total);
  console.log(
    `replay to the change topic: ${total} events again, ${after.records} records, 0 violations`,
  );
});
