import { declaredTopics } from '@outbound/contract';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { KafkaPublisher } from './kafka-publisher.ts';
import { sessionTiming } from './kafka-session.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  connectionTo,
  LogLines,
  opened,
  provisioned,
  recordAt,
  sendUntilStored,
} from './test-support/kafka-rig.ts';
import { provisionTopics } from './topic-provision.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  // The brokers would create topics by themselves: that none appears is up to us (trap 3.2-13).
  kafka = await startKafka({ brokers: 1, settings: { 'auto.create.topics.enable': 'true' } });
});
afterAll(async () => kafka.close());

const log = new LogLines();
const topicsOf = async () => (await kafka.tool('topics', ['--list'])).stdout.split('\n');
async function tool(...args: Parameters<KafkaCluster['tool']>) {
  const result = await kafka.tool(...args);
  expect(result).toMatchObject({ code: 0 });
}
const publisherTo = (eventType: ReturnType<typeof anyEventType>, lines = log) =>
  new KafkaPublisher({
    connection: connectionTo(kafka.bootstrap),
    eventTypes: [eventType],
    compression: 'none',
    log: lines,
  });

describe('provisionTopics', () => {
  it('creates what is missing as declared, and finds nothing to do the second time', async () => {
    const declared = declaredTopics([anyEventType(3)]);
    const connection = connectionTo(kafka.bootstrap);
    const first = await provisionTopics(connection, declared, log);
    expect(first.create.map(({ topic }) => topic)).toEqual(declared.map(({ topic }) => topic));
    expect(first.drift).toEqual([]);
    expect(await provisionTopics(connection, declared, log)).toMatchObject({
      create: [],
      drift: [],
    });
  });

  it('reports what differs and leaves it as it is', async () => {
    const eventType = anyEventType(3);
    await tool('topics', ['--create', '--topic', eventType.state, '--partitions', '5']);
    const connection = connectionTo(kafka.bootstrap);
    const { drift } = await provisionTopics(connection, declaredTopics([eventType]), log);
    const fields = (await provisionTopics(connection, declaredTopics([eventType]), log)).drift;
    expect(fields).toEqual(drift);
    expect(drift).toContainEqual({
      topic: eventType.state,
      field: 'partitions',
      actual: '5',
      declared: '3',
      breaking: true,
    });
    expect(drift).toContainEqual({
      topic: eventType.state,
      field: 'cleanup.policy',
      actual: 'delete',
      declared: 'compact',
      breaking: true,
    });
  });

  it('says in the broker’s words why a topic cannot be created', async () => {
    const [declared] = declaredTopics([anyEventType()]);
    if (!declared) throw new Error('one topic');
    await expect(
      provisionTopics(
        connectionTo(kafka.bootstrap),
        [{ ...declared, configs: { 'cleanup.policy': 'sometimes' } }],
        log,
      ),
    ).rejects.toMatchObject({
      code: 'SINK_REJECTED',
      message: expect.stringContaining('cleanup.policy') as string,
    });
  });

  it('is a command that prints a table, and ends with 31 when a topic differs and 2 when a setting is wrong', async () => {
    const run = async (env: Record<string, string>) => {
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', 'services/relay/src/provision.ts'],
        { env: { PATH: process.env['PATH'], RELAY_DATABASE_URL: 'not judged here', ...env } },
      );
      let output = '';
      child.stdout.on('data', (chunk) => (output += String(chunk)));
      child.stderr.on('data', (chunk) => (output += String(chunk)));
      const [code] = (await once(child, 'close')) as [number];
      return { code, output };
    };
    const brokers = { RELAY_KAFKA_BROKERS: kafka.bootstrap.join(), RELAY_TOPIC_PREFIX: 'cli.' };
    const created = await run(brokers);
    expect(created).toMatchObject({
      code: 0,
      output: expect.stringMatching(/cli\.catalog\.product +6 +compact +created/) as string,
    });
    expect(await run(brokers)).toMatchObject({
      code: 0,
      output: expect.stringContaining('as declared') as string,
    });
    await tool('topics', ['--alter', '--topic', 'cli.catalog.product', '--partitions', '7']);
    expect(await run(brokers)).toMatchObject({
      code: 31,
      output: expect.stringContaining(
        'partitions is 7, declared 6 (the relay refuses it)',
      ) as string,
    });
    expect(await run({ ...brokers, RELAY_KAFKA_BROKRES: 'x' })).toMatchObject({
      code: 2,
      output: expect.stringContaining('RELAY_KAFKA_BROKRES: is not a setting') as string,
    });
  });
});

describe('open', () => {
  it('refuses a topic that does not exist, and creates none, although the brokers would (trap 3.2-13)', async () => {
    const eventType = anyEventType();
    await expect(publisherTo(eventType).open(anySource())).rejects.toMatchObject({
      code: 'SINK_TOPIC_MISSING',
      message: `topics do not exist: ${eventType.change}, ${eventType.state}`,
    });
    expect(await topicsOf()).not.toContain(eventType.change);
  });

  it('refuses another number of partitions and another cleanup policy, naming both', async () => {
    const eventType = anyEventType(2);
    await tool('topics', ['--create', '--topic', eventType.change, '--partitions', '3']);
    await tool('topics', ['--create', '--topic', eventType.state, '--partitions', '2']);
    await expect(publisherTo(eventType).open(anySource())).rejects.toMatchObject({
      code: 'SINK_TOPIC_MISMATCH',
      message: `topic ${eventType.change} has partitions 3, declared is 2; topic ${eventType.state} has cleanup.policy delete, declared is compact`,
    });
  });

  it('warns of what is only weaker than declared, and goes on', async () => {
    const eventType = anyEventType();
    const lines = new LogLines();
    await provisioned(kafka, [eventType]);
    await tool('configs', [
      ...['--alter', '--entity-type', 'topics', '--entity-name', eventType.state],
      ...['--add-config', 'delete.retention.ms=1000'],
    ]);
    const session = await publisherTo(eventType, lines).open(anySource());
    await session.close();
    expect(lines.lines.filter((line) => line.includes('delete.retention.ms'))).toHaveLength(1);
  });
});

describe('a topic that changes while the relay runs', () => {
  const quick = { ...sessionTiming, metadataRefreshMs: 100, topicMissingMs: 1500 };

  it('asks to be renewed when partitions were added, and the next session refuses them: keys would move', async () => {
    const eventType = anyEventType();
    const publisher = await provisioned(kafka, [eventType], { timing: quick });
    const source = anySource();
    const session = await opened(publisher, source);
    onTestFinished(async () => session.close());
    expect(session.mustRenew()).toBe(false);
    await tool('topics', ['--alter', '--topic', eventType.state, '--partitions', '2']);
    await eventually(() => session.mustRenew());
    await expect(publisher.open(source)).rejects.toMatchObject({ code: 'SINK_TOPIC_MISMATCH' });
  });

  it('tries on while a topic may only be unheard of, and stops when it is really gone', async () => {
    const eventType = anyEventType();
    const publisher = await provisioned(kafka, [eventType], { timing: quick });
    const source = anySource();
    const session = await opened(publisher, source);
    onTestFinished(async () => session.close());
    await session.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
    await tool('topics', ['--delete', '--topic', eventType.change]);
    const batch = batchOf([recordAt(source, eventType.change, 0, 2)]);
    await expect(session.send([batch])).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' });
    await expect(sendUntilStored(session, [batch])).rejects.toMatchObject({
      code: 'SINK_TOPIC_MISSING',
    });
    expect(session.mustRenew()).toBe(true);
    expect(await topicsOf()).not.toContain(eventType.change);
  });

  it('notices a topic that was deleted and made anew behind its back', async () => {
    const eventType = anyEventType();
    const publisher = await provisioned(kafka, [eventType], {
      timing: { ...quick, topicMissingMs: 60_000 },
    });
    const source = anySource();
    const session = await opened(publisher, source);
    onTestFinished(async () => session.close());
    await session.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
    await tool('topics', ['--delete', '--topic', eventType.change]);
    await eventually(async () => !(await topicsOf()).includes(eventType.change));
    await provisioned(kafka, [eventType]);
    const batch = batchOf([recordAt(source, eventType.change, 0, 2)]);
    await expect(sendUntilStored(session, [batch])).rejects.toMatchObject({
      code: 'SINK_TOPIC_MISMATCH',
      message: expect.stringContaining('made anew') as string,
    });
  });
});
