import { fileURLToPath } from 'node:url';
import { inboxDdl } from '@outbound/consumer';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { npmStaysOutside } from '../scripts/bundle.ts';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { runSeed, seededRandom } from './support/random.ts';
import { ServiceProcess } from './support/service-process.ts';
import { SqlLoad } from './support/sql-load.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

const group = 'effects';
const program = 'node_modules/.cache/outbound-tests/apply-once-member.mjs';
const killsWanted = 50;

/**
 * At least once from Kafka and an inbox in the consumer's own database give effects once: what was delivered twice has one effect, in the order of the versions,
 * whenever members die. Set PLANT=inbox-off to see it fail without the inbox.
 */
describe('effects of a consumer', () => {
  let stack: TestStack;
  beforeAll(async () => {
    await build({
      entryPoints: [
        fileURLToPath(
          new URL('../packages/consumer/test-programs/apply-once-member/main.ts', import.meta.url),
        ),
      ],
      outfile: program,
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
});
