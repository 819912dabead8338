import { fileURLToPath } from 'node:url';
import { inboxDdl, parkedKeyDdl } from '@outbound/consumer';
import { openRecordSender } from '@outbound/kafka';
import { partitionOf, recordHeader } from '@outbound/schemas';
import { build } from 'esbuild';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { note, noteValue } from '../packages/consumer/test-support/notes.ts';
import { npmStaysOutside } from '../scripts/bundle.ts';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { makeTopic } from './support/make-topic.ts';
import { runSeed, seededRandom } from './support/random.ts';
import { ServiceProcess } from './support/service-process.ts';
import { SqlLoad } from './support/sql-load.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

const group = 'effects';
const program = 'node_modules/.cache/outbound-tests/apply-once-member.mjs';
const parking = 'node_modules/.cache/outbound-tests/parking-member.mjs';
const killsWanted = 50;

/**
 * At least once from Kafka and an inbox in the consumer's own database give effects once: what was delivered twice has one effect, in the order of the versions,
 * whenever members die. Set PLANT=inbox-off to see it fail without the inbox.
 */
describe('effects of a consumer', () => {
  let stack: TestStack;
  beforeAll(async () => {
    for (const [name, outfile] of [
      ['apply-once-member', program],
      ['parking-member', parking],
    ] as const)
      await build({
        entryPoints: [
          fileURLToPath(
            new URL(`../packages/consumer/test-programs/${name}/main.ts`, import.meta.url),
          ),
        ],
        outfile,
        bundle: true,
        platform: 'node',
        format: 'esm',
        logLevel: 'warning',
        plugins: [npmStaysOutside],
      });
    // A killed member is missed after its session timeout: two seconds, so that fifty kills fit in a minute.
    stack = await startTestStack({
      kafka: { settings: { 'group.min.session.timeout.ms': '1000' } },
    });
  });
  afterAll(() => stack?.[Symbol.asyncDispose]());

  it('come once and in version order although three members are killed 50 times under load and in rebalances', async () => {
    const random = seededRandom(runSeed('effects-once'));
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await pipeline.sql.query(inboxDdl());
    await pipeline.sql.query(`
      create table delivery (eid text not null);
      create table effect (id bigserial primary key, eid text not null, key text not null, version bigint not null);`);
    await pipeline.startRelay();
    const load = new SqlLoad(pipeline, { writers: 2, entities: 20, pauseMs: 10 });
    const start = () =>
      new ServiceProcess(program, {
        MEMBER_BROKERS: stack.kafka.bootstrap.join(','),
        MEMBER_TOPIC: pipeline.topic('catalog.product-change'),
        MEMBER_GROUP: group,
        MEMBER_DATABASE_URL: pipeline.databaseUrl,
        MEMBER_INBOX: process.env['PLANT'] === 'inbox-off' ? 'off' : 'on',
      });
    const count = async (table: 'effect' | 'delivery' | 'outbox') => {
      const { rows } = await pipeline.sql.query<{ n: string }>(
        `select count(*) as n from ${table}`,
      );
      return Number(rows[0]?.n);
    };
    const members = [start(), start(), start()];
    let kills = 0;
    let killsInRebalance = 0;
    try {
      while (kills < killsWanted) {
        // While events are handled, and then, before the group has come together again, up to three times more.
        const before = await count('effect');
        await eventually(async () => (await count('effect')) > before, { timeoutMs: 60_000 });
        const round = 1 + Math.floor(random() * 4);
        for (let n = 0; n < round && kills < killsWanted; n += 1) {
          const victim = Math.floor(random() * members.length);
          await members[victim]?.kill();
          kills += 1;
          if (n > 0) killsInRebalance += 1;
          members[victim] = start();
          await members[victim]?.log('joining');
        }
      }
      await load.stop();
      await pipeline.caughtUp();
      const events = await count('outbox');
      await eventually(async () => (await count('effect')) >= events, { timeoutMs: 120_000 });
      // Whatever would still come twice has come when the group has nothing left to read and its members have left.
      for (const member of members) expect((await member.terminate()).code).toBe(0);

      const { rows: wrong } = await pipeline.sql.query<{ key: string; version: string }>(`
        select key, version from (
          select key, version, row_number() over (partition by key order by id) as expected from effect) as ordered
        where version <> expected limit 5`);
      const { rows: missing } = await pipeline.sql.query(
        'select id from outbox where id::text not in (select eid from effect) limit 5',
      );
      const effects = await count('effect');
      const deliveries = await count('delivery');
      console.log(
        `effects once: ${events} events, ${deliveries} deliveries (${deliveries - events} again), ${effects} effects, ${kills} kills (${killsInRebalance} in a rebalance), ${missing.length} missing, ${wrong.length} out of order`,
      );
      expect({ effects, missing, wrong }).toEqual({ effects: events, missing: [], wrong: [] });
      // Without a delivery that came again the inbox would have proved nothing.
      expect(deliveries).toBeGreaterThan(events);
    } finally {
      await load.stop();
      for (const member of members) await member[Symbol.asyncDispose]();
    }
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
      new ServiceProcess(parking, {
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
