import type { PostgresMajor } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

interface Refusal {
  readonly when: string;
  readonly prepare?: (pipeline: TestPipeline) => Promise<unknown>;
  readonly env?: Readonly<Record<string, string>>;
  readonly exitCode: number;
  readonly says: string;
}

/** Whatever the server's version: the settings are read before it is asked, and topics are Kafka's. */
const ofSettingsAndTopics: readonly Refusal[] = [
  { when: 'a setting is misspelt', env: { RELAY_SLOTT: 'x' }, exitCode: 2, says: 'RELAY_SLOTT' },
  {
    when: 'a setting is out of range',
    env: { RELAY_MAX_IN_FLIGHT_BYTES: '10s' },
    exitCode: 2,
    says: 'RELAY_MAX_IN_FLIGHT_BYTES',
  },
  {
    when: 'the broker list has an empty item',
    env: { RELAY_KAFKA_BROKERS: '127.0.0.1:9092,,' },
    exitCode: 2,
    says: 'RELAY_KAFKA_BROKERS',
  },
  {
    when: 'the module of event types is not there',
    env: { RELAY_EVENT_TYPES: '/nowhere.js' },
    exitCode: 2,
    says: '/nowhere.js',
  },
  {
    when: 'a topic is missing',
    env: { RELAY_TOPIC_PREFIX: 'never-provisioned.' },
    exitCode: 31,
    says: 'SINK_TOPIC_MISSING',
  },
  {
    when: 'the state topic is not compacted',
    prepare: (pipeline) =>
      pipeline.stack.kafka.tool('configs', [
        '--alter',
        '--entity-type',
        'topics',
        '--entity-name',
        pipeline.topic('catalog.product'),
        '--add-config',
        'cleanup.policy=delete',
      ]),
    exitCode: 31,
    says: 'SINK_TOPIC_MISMATCH',
  },
  {
    when: 'a topic has got more partitions',
    prepare: (pipeline) =>
      pipeline.stack.kafka.tool('topics', [
        '--alter',
        '--topic',
        pipeline.topic('catalog.product'),
        '--partitions',
        '9',
      ]),
    exitCode: 31,
    says: 'SINK_TOPIC_MISMATCH',
  },
];

const ofPostgres: readonly Refusal[] = [
  {
    when: 'the password is wrong',
    env: { RELAY_DATABASE_URL: 'wrong-password' },
    exitCode: 10,
    says: 'SOURCE_AUTH_FAILED',
  },
  {
    when: 'the slot was dropped behind its back',
    prepare: async (pipeline) => {
      await (await pipeline.startRelay()).terminate();
      await pipeline.sql.query('select pg_drop_replication_slot($1)', [pipeline.slot]);
    },
    exitCode: 11,
    says: 'SOURCE_SLOT_MISSING',
  },
  {
    when: 'the slot belongs to another plugin',
    prepare: (pipeline) =>
      pipeline.sql.query(`select pg_create_logical_replication_slot($1, 'test_decoding')`, [
        pipeline.slot,
      ]),
    exitCode: 12,
    says: 'SOURCE_SLOT_MISMATCH',
  },
  {
    when: 'there is no publication',
    prepare: (pipeline) => pipeline.sql.query('drop publication outbound'),
    exitCode: 13,
    says: 'SOURCE_PUBLICATION_MISSING',
  },
  {
    when: 'the publication leaves inserts out',
    prepare: (pipeline) =>
      pipeline.sql.query(`alter publication outbound set (publish = 'update')`),
    exitCode: 13,
    says: 'SOURCE_PUBLICATION_WRONG',
  },
  {
    when: 'the publication filters rows',
    prepare: (pipeline) =>
      pipeline.sql.query(
        `alter publication outbound set table outbox where (created_at > '2020-01-01')`,
      ),
    exitCode: 13,
    says: 'SOURCE_PUBLICATION_WRONG',
  },
  {
    when: 'the outbox is not there',
    env: { RELAY_OUTBOX_TABLE: 'public.nothing' },
    exitCode: 13,
    says: 'SOURCE_OUTBOX_MISSING',
  },
];

describe.each<PostgresMajor>([15, 18])(
  'on Postgres %i, the relay stops with an exit code and one sentence',
  (major) => {
    let stack: TestStack;
    beforeAll(async () => {
      stack = await startTestStack({ postgres: { major } });
    });
    afterAll(() => stack[Symbol.asyncDispose]());

    const refusals = major === 15 ? ofPostgres : [...ofSettingsAndTopics, ...ofPostgres];

    it('when the port of its admin server is taken: the log says which, without a stack', async () => {
      await using pipeline = await TestPipeline.create(stack);
      const { port } = new URL(pipeline.databaseUrl);
      const relay = pipeline.launchRelay({ RELAY_ADMIN_PORT: port });
      expect(await relay.ended()).toMatchObject({ code: 2 });
      const line = relay.logs.find(({ level }) => level === 'fatal');
      expect(line).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(JSON.stringify(line)).toContain('RELAY_ADMIN_PORT');
      expect(line).not.toHaveProperty('error');
    });

    it.each(refusals)('when $when', async ({ prepare, env = {}, exitCode, says }) => {
      await using pipeline = await TestPipeline.create(stack);
      await prepare?.(pipeline);
      const settings = { ...env };
      if (settings['RELAY_DATABASE_URL'] === 'wrong-password') {
        const url = new URL(pipeline.relayEnv['RELAY_DATABASE_URL'] ?? '');
        url.password = 'wrong';
        settings['RELAY_DATABASE_URL'] = url.href;
      }
      const relay = pipeline.launchRelay(settings);
      const exit = await relay.ended();
      expect(relay.stderr.join('\n')).toContain(says);
      expect(exit.code).toBe(exitCode);
      expect(JSON.stringify(relay.logs) + relay.stderr.join('')).not.toMatch(
        /service-secret|wrong@/,
      );
    });

    it('when an event cannot be published: what came before it goes out, nothing after it is acknowledged, and the operator can leave it out', async () => {
      await using pipeline = await TestPipeline.create(stack);
      await EntityWriter.prepare(pipeline.sql);
      const writer = new EntityWriter(pipeline.sql);
      const relay = await pipeline.startRelay({ RELAY_POISON: 'stop' });
      await writer.write('entity-1');
      const { rows } = await pipeline.sql.query<{ id: string }>(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values (gen_random_uuid(), 'catalog.product', 'entity-2', 'catalog.unheard-of', 1, 'C', '{}') returning id`,
      );
      const poison = rows[0]?.id ?? '';
      await writer.write('entity-1');
      expect(await relay.ended()).toMatchObject({ code: 20 });
      expect(relay.stderr.join('\n')).toContain(poison);

      const stubborn = pipeline.launchRelay({ RELAY_POISON: 'stop' });
      expect(await stubborn.ended()).toMatchObject({ code: 20 });
      await pipeline.startRelay({ RELAY_POISON: 'stop', RELAY_SKIP_EVENTS: poison });
      await pipeline.caughtUp();
      const verdict = await judgePipeline(pipeline, { leftOut: [poison] });
      expect(verdict.violations).toEqual([]);
      expect(verdict).toMatchObject({ committed: 2, records: 4, duplicates: 0 });
    });
  },
);
