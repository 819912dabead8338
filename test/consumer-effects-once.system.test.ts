import { parkedKeyDdl } from '@outbound/consumer';
import { openRecordSender } from '@outbound/kafka';
import { partitionOf, recordHeader } from '@outbound/contract';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { note, noteValue } from '../packages/consumer/test-support/notes.ts';
import { buildMember, killMembers, memberProgram, shortSessions } from './faults/consumer-kills.ts';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { makeTopic } from './support/make-topic.ts';
import { runSeed, seededRandom } from './support/random.ts';
import { ServiceProcess } from './support/service-process.ts';
import { SqlLoad } from './support/sql-load.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** CI's share; row 41 of the matrix kills 50 a round, and so does `CONSUMER_KILLS=50 npx vitest run test/consumer-effects-once`. */
const killsWanted = Number(process.env['CONSUMER_KILLS'] ?? 12);

/**
 * At least once from Kafka and an inbox in the consumer's own database give effects once: what was delivered twice has one effect, in the order of the versions,
 * whenever members die. Set PLANT=inbox-off to see it fail without the inbox.
 */
describe('effects of a consumer', () => {
  let stack: TestStack;
  beforeAll(async () => {
    await buildMember('apply-once-member');
    await buildMember('parking-member');
    stack = await startTestStack({ kafka: { settings: shortSessions } });
  });
  afterAll(() => stack?.[Symbol.asyncDispose]());

  it(`come once and in version order although three members are killed ${killsWanted} times under load and in rebalances`, async () => {
    const random = seededRandom(runSeed('effects-once'));
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await pipeline.startRelay();
    const load = new SqlLoad(pipeline, { writers: 2, entities: 20, pauseMs: 10 });
    const found = await killMembers(pipeline, load, {
      kills: killsWanted,
      random,
      inbox: process.env['PLANT'] === 'inbox-off' ? 'off' : 'on',
    });
    const { events, deliveries, effects, kills, killsInRebalance, missing, wrong } = found;
    console.log(
      `effects once: ${events} events, ${deliveries} deliveries (${deliveries - events} again), ${effects} effects, ${kills} kills (${killsInRebalance} in a rebalance), ${missing.length} missing, ${wrong.length} out of order`,
    );
    expect({ effects, missing, wrong }).toEqual({ effects: events, missing: [], wrong: [] });
    // Without a delivery that came again the inbox would have proved nothing.
    expect(deliveries).toBeGreaterThan(events);
  });

  it('of dead letters come in order when they are redriven, one of them twice when the member is killed meanwhile', async () => {
    const [topic, dead, member] = ['notes', 'notes.dead-letters', 'note-taker'];
    const admin = new Kafka({
      brokers: [...stack.kafka.directBootstrap],
      logLevel: logLevel.NOTHING,
    }).admin();
    await admin.connect();
    onTestFinished(() => admin.disconnect());
    for (const each of [topic, dead]) await makeTopic(admin, { topic: each, numPartitions: 2 });
    const url = await stack.postgres.createDatabase('parking');
    const sql = new pg.Client(url);
    await sql.connect();
    onTestFinished(() => sql.end());
    await sql.query(`${parkedKeyDdl()}
      create table broken (key text, version bigint);
      create table effect (id bigserial primary key, key text, version bigint);
      insert into broken values ('a', 1);`);
    const effects = async (key: string) =>
      (
        await sql.query<{ version: string }>(
          'select version from effect where key = $1 order by id',
          [key],
        )
      ).rows.map(({ version }) => Number(version));
    const start = () =>
      new ServiceProcess(memberProgram('parking-member'), {
        MEMBER_BROKERS: stack.kafka.bootstrap.join(','),
        MEMBER_TOPIC: topic,
        MEMBER_DEAD_LETTERS: dead,
        MEMBER_GROUP: member,
        MEMBER_DATABASE_URL: url,
      });
    const connection = {
      ...{ brokers: stack.kafka.directBootstrap, clientId: 'test', tls: undefined },
      ...{ sasl: undefined, connectTimeoutMs: 10_000, silenceLimitMs: 5_000 },
    };
    const ignore = (): void => undefined;
    const log = { info: ignore, warn: ignore, error: ignore };
    const sender = await openRecordSender({ connection, topic, partitionOf, log });
    onTestFinished(() => sender.close());
    const write = async (key: string, ...versions: readonly number[]) =>
      sender.send(
        versions.map((version) => ({
          key: Buffer.from(key),
          value: Buffer.from(noteValue(key, version)),
          headers: [{ name: recordHeader.type, value: Buffer.from(note.name) }],
          timestampMs: Date.now(),
        })),
      );
    const transcript: string[] = [];
    const deadLetters = async (...args: readonly string[]) => {
      const env = { OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(',') };
      const run = await outbound(['dead-letters', ...args, '--topic', dead], { env });
      transcript.push(
        `$ outbound dead-letters ${args.join(' ')} --topic ${dead}`,
        run.err + run.out,
      );
      return run;
    };

    let process = start();
    try {
      await write('a', 1, 2, 3, 4);
      await write('b', 1);
      await eventually(async () => (await effects('b')).length === 1, { timeoutMs: 60_000 });
      await eventually(
        async () => (await deadLetters('list', '--json')).out.includes('"waiting":4'),
        {
          timeoutMs: 30_000,
        },
      );
      transcript.length = 0;
      await deadLetters('list');
      const shown = await deadLetters('show', '--key', 'a');
      expect(shown.out).toContain('no such currency');
      expect(shown.out).not.toContain('"data_op"');
      expect((await deadLetters('show', '--key', 'a', '--payload')).out).toContain('"data_op":"U"');
      transcript.pop();
      expect((await deadLetters('redrive', '--key', 'a', '--dry-run')).code).toBe(0);
      expect((await deadLetters('redrive', '--key', 'a', '--yes')).code).toBe(3);
      expect(await effects('a')).toEqual([]);
      transcript.push('(the handler is mended, and the consumer stopped)');
      await sql.query('delete from broken');
      expect((await process.terminate()).code).toBe(0);
      const asked = await deadLetters('redrive', '--all', '--yes');
      expect(asked.code).toBe(3);
      expect(asked.err).toContain('group note-taker has no member now');

      // The effect of the first letter is written, and then the member is killed.
      await sql.query('select pg_advisory_lock(42)');
      process = start();
      await eventually(async () => (await effects('a')).length === 1, { timeoutMs: 60_000 });
      await process.kill();
      await sql.query('select pg_advisory_unlock(42)');
      transcript.push('(the consumer is started, killed in the middle, and started again)');
      process = start();
      const done = await eventually(
        async () => {
          const run = await deadLetters('list');
          return run.out.includes('no letter waits') ? run : transcript.splice(-2) && undefined;
        },
        { timeoutMs: 60_000 },
      );
      expect(done?.code).toBe(0);
      await write('a', 5);
      await eventually(async () => (await effects('a')).includes(5), { timeoutMs: 30_000 });
      expect(await effects('a')).toEqual([1, 1, 2, 3, 4, 5]);
      expect((await sql.query('select from parked_key')).rowCount).toBe(0);
      expect((await process.terminate()).code).toBe(0);
      console.log(transcript.join('\n'));
    } finally {
      await process.kill();
    }
  });
});
