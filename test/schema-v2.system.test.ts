import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryInbox, subscribe } from '@outbound/consumer';
import { createDatabase, inTransaction, type Database } from '@outbound/outbox';
import { dataChangeEvent, judgeEventType, releaseOf } from '@outbound/contract';
import { quietLogger } from '@outbound/service-kit';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually } from './support/eventually.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { ServiceProcess } from './support/service-process.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

const common = { dataType: 'shop.order', owner: 'shop', partitions: 2 };
const identity = { id: z.string(), version: z.int() };
const first = dataChangeEvent({
  ...common,
  version: '1.0.0',
  data: z.strictObject({ ...identity, total: z.number() }),
});
/** A total with its currency: the old field in another form, which nobody who reads the first can read. */
const total = z.strictObject({ amount: z.number(), currency: z.string() });
const second = dataChangeEvent({
  ...common,
  version: '2.0.0',
  data: z.strictObject({ ...identity, total }),
});

/** One change of an order, told in both versions by the transaction that makes it. */
async function changeOrder(db: Database, id: string): Promise<void> {
  await inTransaction(db, async ({ tx, emit }) => {
    const { rows } = await tx.execute<{ version: number }>(
      sql`insert into shop_order as o (id, version) values (${id}, 1)
        on conflict (id) do update set version = o.version + 1 returning version`,
    );
    const version = rows[0]?.version ?? 0;
    const change = { aggregateId: id, version, dataOp: version === 1 ? 'C' : 'U' } as const;
    await emit(first, { ...change, data: { id, version, total: version } });
    await emit(second, {
      ...change,
      data: { id, version, total: { amount: version, currency: 'EUR' } },
    });
  });
}

describe('a breaking change', () => {
  let stack: TestStack;
  let folder: string;
  beforeAll(async () => {
    stack = await startTestStack();
    folder = await mkdtemp(join(tmpdir(), 'outbound-v2-'));
  });
  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('is refused in place, and named as an event type of its own with topics of its own', () => {
    const inPlace = { ...second, name: first.name, version: '1.1.0' };
    expect(judgeEventType(inPlace, [releaseOf(first)]).problems).toEqual([
      'data.total: type changed (number became object), breaks old readers and new readers (rule 209)',
      'a breaking change needs a new event type beside this one: shop.order-change.v2 with topics of its own (rule 246)',
    ]);
    expect(second.name).toBe('shop.order-change.v2');
    expect(second.routes.map(({ topic }) => topic)).toEqual([
      'shop.order-change.v2',
      'shop.order.v2',
    ]);
    expect(judgeEventType(second, [first, second].map(releaseOf)).problems).toEqual([]);
  });

  it('runs beside the first version, and a consumer moves over without missing or repeating a version of an entity', async () => {
    const module = join(folder, 'event-types.mjs');
    const declared = [first, second].map(({ name, owner, dataType, version, routes }) => ({
      ...{ name, owner, dataType, version, routes },
    }));
    await writeFile(module, `export const eventTypes = ${JSON.stringify(declared)};`);
    await using pipeline = await TestPipeline.create(stack, { RELAY_EVENT_TYPES: module });
    await using provision = new ServiceProcess('services/relay/dist/provision.js', {
      RELAY_KAFKA_BROKERS: stack.kafka.directBootstrap.join(','),
      RELAY_TOPIC_PREFIX: pipeline.topicPrefix,
      RELAY_EVENT_TYPES: module,
    });
    expect((await provision.ended()).code, provision.tail()).toBe(0);
    await pipeline.sql.query('create table shop_order (id text primary key, version int not null)');
    await pipeline.startRelay();

    const pool = new pg.Pool({ connectionString: pipeline.databaseUrl });
    const db = createDatabase(pool);
    const isWriting = new AbortController();
    const orders = Array.from({ length: 8 }, (_, index) => `order-${index}`);
    const writers = orders.map(async (id) => {
      for (let n = 0; n < 200 && !isWriting.signal.aborted; n += 1) await changeOrder(db, id);
    });

    const inbox = createMemoryInbox();
    const applied: string[] = [];
    const totals = new Set<string>();
    const member = {
      connection: {
        brokers: stack.kafka.directBootstrap,
        clientId: 'shop',
        tls: undefined,
        sasl: undefined,
        connectTimeoutMs: 5000,
        silenceLimitMs: 30_000,
      },
      log: quietLogger(),
    };
    const old = await subscribe({
      ...member,
      groupId: `shop-${pipeline.slot}`,
      eventType: first,
      topic: pipeline.topic('shop.order-change'),
      handle: async (event) => {
        await inbox.apply(event, () => {
          applied.push(`${event.key}@${String(event.version)}`);
          if (event.data) totals.add(typeof event.data.total);
        });
      },
    });
    await eventually(() => applied.length >= 100, { timeoutMs: 60_000 });
    await old.stop();
    const appliedByOld = applied.length;

    // The new version from its beginning: the inbox knows what the old one has brought.
    const moved = await subscribe({
      ...member,
      groupId: `shop-v2-${pipeline.slot}`,
      eventType: second,
      topic: pipeline.topic('shop.order-change.v2'),
      handle: async (event) => {
        await inbox.apply(event, () => {
          applied.push(`${event.key}@${String(event.version)}`);
          if (event.data) totals.add(event.data.total.currency);
        });
      },
    });
    await eventually(() => applied.length >= appliedByOld + 100, { timeoutMs: 60_000 });
    isWriting.abort();
    await Promise.all(writers);
    const { rows } = await pool.query<{ id: string; version: number }>(
      'select id, version from shop_order order by id',
    );
    const expected = rows.flatMap(({ id, version }) =>
      Array.from({ length: version }, (_, index) => `${id}@${index + 1}`),
    );
    await eventually(() => applied.length >= expected.length, { timeoutMs: 60_000 });
    await moved.stop();
    await pool.end();

    expect([...applied].sort()).toEqual(expected.sort());
    for (const order of orders) {
      const versions = applied.filter((each) => each.startsWith(`${order}@`));
      expect(versions).toEqual(versions.map((_, index) => `${order}@${index + 1}`));
    }
    expect([...totals].sort()).toEqual(['EUR', 'number']);
  });
});
