import { fileURLToPath } from 'node:url';
import { inboxDdl } from '@outbound/consumer';
import { build } from 'esbuild';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { npmStaysOutside } from '../../scripts/bundle.ts';
import { eventually } from '../support/eventually.ts';
import { ServiceProcess } from '../support/service-process.ts';
import type { SqlLoad } from '../support/sql-load.ts';
import type { TestPipeline } from '../support/test-pipeline.ts';

/** Programs of members that tests kill, in `packages/consumer/test-programs/`. */
export type MemberProgram = 'apply-once-member' | 'parking-member';

/** Where `buildMember` puts a program. */
export const memberProgram = (name: MemberProgram): string =>
  `node_modules/.cache/outbound-tests/${name}.mjs`;

/** A killed member is missed after its session timeout, two seconds for these: Kafka's own least is six. */
export const shortSessions = { 'group.min.session.timeout.ms': '1000' };

/** Bundles a member's program. Once for each process. */
export async function buildMember(name: MemberProgram): Promise<void> {
  await build({
    entryPoints: [
      fileURLToPath(
        new URL(`../../packages/consumer/test-programs/${name}/main.ts`, import.meta.url),
      ),
    ],
    outfile: memberProgram(name),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
    plugins: [npmStaysOutside],
  });
}

/** What the consumer's own database shows at the end. */
export interface Effects {
  readonly events: number;
  readonly deliveries: number;
  readonly effects: number;
  readonly kills: number;
  /** Of them, those before the group had come together again. */
  readonly killsInRebalance: number;
  /** Members that stood still for longer than their session, and went on. */
  readonly pauses: number;
  /** Some events without an effect. */
  readonly missing: readonly string[];
  /** Some effects that are not the next version of their key. */
  readonly wrong: readonly { readonly key: string; readonly version: string }[];
}

/**
 * Three members apply what the pipeline publishes, in a transaction with their inbox, while members are killed under load and in rebalances, or stand still and come back.
 * Stops the load. `inbox: 'off'` is there to see it fail.
 */
export async function killMembers(
  pipeline: TestPipeline,
  load: SqlLoad,
  options: {
    readonly kills: number;
    /** How likely a member is paused in the place of a kill. */
    readonly pauses?: number;
    readonly random: () => number;
    readonly inbox?: 'on' | 'off';
  },
): Promise<Effects> {
  const { random } = options;
  await pipeline.sql.query(inboxDdl());
  await pipeline.sql.query(`
    create table delivery (eid text not null);
    create table effect (id bigserial primary key, eid text not null, key text not null, version bigint not null);`);
  const group = `effects-${pipeline.slot}`;
  const admin = new Kafka({
    brokers: pipeline.stack.kafka.directBootstrap,
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  const start = () =>
    new ServiceProcess(memberProgram('apply-once-member'), {
      MEMBER_BROKERS: pipeline.stack.kafka.bootstrap.join(','),
      MEMBER_TOPIC: pipeline.topic('catalog.product-change'),
      MEMBER_GROUP: group,
      MEMBER_DATABASE_URL: pipeline.databaseUrl,
      MEMBER_INBOX: options.inbox ?? 'on',
    });
  const count = async (table: 'effect' | 'delivery' | 'outbox') => {
    const { rows } = await pipeline.sql.query<{ n: string }>(`select count(*) as n from ${table}`);
    return Number(rows[0]?.n);
  };
  const grows = async () => {
    const before = await count('effect');
    await eventually(async () => (await count('effect')) > before, { timeoutMs: 60_000 });
  };
  const members = [start(), start(), start()];
  let kills = 0;
  let killsInRebalance = 0;
  let pauses = 0;
  try {
    while (kills + pauses < options.kills) {
      // While events are handled, and then, before the group has come together again, up to three times more.
      await grows();
      const victim = Math.floor(random() * members.length);
      if (options.pauses !== undefined && random() < options.pauses) {
        members[victim]?.pause();
        pauses += 1;
        // The others have its partitions before it wakes.
        await eventually(async () => (await membersOf(admin, group)) === members.length - 1, {
          timeoutMs: 60_000,
          intervalMs: 100,
        });
        await grows();
        members[victim]?.resume();
        continue;
      }
      const round = 1 + Math.floor(random() * 4);
      for (let n = 0; n < round && kills + pauses < options.kills; n += 1) {
        const next = n === 0 ? victim : Math.floor(random() * members.length);
        await members[next]?.kill();
        kills += 1;
        if (n > 0) killsInRebalance += 1;
        members[next] = start();
        await members[next]?.log('joining');
      }
    }
    await load.stop();
    await pipeline.caughtUp();
    const events = await count('outbox');
    await eventually(async () => (await count('effect')) >= events, { timeoutMs: 120_000 });
    // Whatever would still come twice has come when the group has nothing left to read and its members have left.
    for (const member of members) {
      const { code } = await member.terminate();
      if (code !== 0) throw new Error(`a member ended with ${code}: ${member.tail()}`);
    }
    const { rows: wrong } = await pipeline.sql.query<{ key: string; version: string }>(`
      select key, version from (
        select key, version, row_number() over (partition by key order by id) as expected from effect) as ordered
      where version <> expected limit 5`);
    const { rows: missing } = await pipeline.sql.query<{ id: string }>(
      'select id from outbox where id::text not in (select eid from effect) limit 5',
    );
    return {
      events,
      deliveries: await count('delivery'),
      effects: await count('effect'),
      kills,
      killsInRebalance,
      pauses,
      missing: missing.map(({ id }) => id),
      wrong,
    };
  } finally {
    await load.stop();
    for (const member of members) await member[Symbol.asyncDispose]();
    await admin.disconnect();
  }
}

/** How many members a group has that has come together; undefined while it has not. */
async function membersOf(admin: Admin, group: string): Promise<number | undefined> {
  const [found] = (await admin.describeGroups([group])).groups;
  return found?.state === 'Stable' ? found.members.length : undefined;
}
