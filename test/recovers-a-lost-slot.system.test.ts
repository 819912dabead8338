import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTopics } from '@outbound/consumer';
import { changeRoute, stateRoute } from '@outbound/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { connectionTo } from './support/read-topics.ts';
import { recover } from './support/recover.ts';
import { SqlLoad } from './support/sql-load.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.[Symbol.asyncDispose]());

/** Records that may come twice for each recovery: the batches in flight when the relay died, in every lane. */
const inFlight = 12 * 500;

async function dropSlot({ sql, slot }: TestPipeline): Promise<void> {
  await eventually(
    async () => {
      await sql.query('select pg_drop_replication_slot($1)', [slot]);
      return true;
    },
    { timeoutMs: 30_000, intervalMs: 100 },
  );
}

test('a slot that was dropped under load is recovered while writers go on, and nothing is missing or out of order', async () => {
  await using pipeline = await TestPipeline.create(stack);
  await EntityWriter.prepare(pipeline.sql);
  const relay = await pipeline.startRelay();
  const load = new SqlLoad(pipeline, { writers: 3 });
  await eventually(() => load.count > 800, { timeoutMs: 60_000 });
  await relay.kill();
  await dropSlot(pipeline);
  const before = load.count;
  await eventually(() => load.count > before + 800, { timeoutMs: 60_000 });

  const refused = pipeline.launchRelay();
  expect((await refused.ended()).code).toBe(11);
  expect(refused.tail()).toContain('outbound recover');

  const dry = await recover(pipeline, ['--dry-run']);
  expect(dry).toMatchObject({ code: 0 });
  expect(dry.answer().missingEvents).toBeGreaterThanOrEqual(800);
  expect(await recover(pipeline)).toMatchObject({ code: 4 });

  const recovered = await recover(pipeline, ['--yes']);
  expect(recovered, recovered.err).toMatchObject({ code: 0 });
  const { emitted, filled, heldMs } = recovered.answer();
  expect(emitted).toBeGreaterThanOrEqual(dry.answer().missingEvents);
  expect(filled).toBe(0);

  await pipeline.startRelay();
  const after = load.count;
  await eventually(() => load.count > after + 200, { timeoutMs: 60_000 });
  await load.stop();
  await pipeline.caughtUp();
  const { violations, committed, duplicates } = await judgePipeline(pipeline, {
    allowedDuplicates: inFlight,
  });
  expect(violations).toEqual([]);
  console.log(
    `slot dropped under load: ${committed} events committed, ${emitted} written again, writers held ${heldMs} ms, ${duplicates} duplicates, 0 violations`,
  );

  const sound = await recover(pipeline, ['--yes']);
  expect(sound).toMatchObject({ code: 6 });
  expect(sound.err).toContain('SLOT_ACTIVE');
});

test('a paused relay of before that wakes up after the recovery puts nothing old behind what is new', async () => {
  await using pipeline = await TestPipeline.create(stack);
  await EntityWriter.prepare(pipeline.sql);
  const zombie = await pipeline.startRelay();
  const load = new SqlLoad(pipeline, { writers: 2, entities: 4 });
  await eventually(() => load.count > 300, { timeoutMs: 60_000 });
  zombie.pause();
  // Its connection ends by itself when it no longer answers.
  await dropSlot(pipeline);
  const recovered = await recover(pipeline, ['--yes']);
  expect(recovered, recovered.err).toMatchObject({ code: 0 });
  await pipeline.startRelay();
  await pipeline.caughtUp();
  zombie.resume();
  const before = load.count;
  await eventually(() => load.count > before + 200, { timeoutMs: 60_000 });
  await load.stop();
  await pipeline.caughtUp();
  const { violations, committed, duplicates } = await judgePipeline(pipeline, {
    allowedDuplicates: inFlight,
  });
  expect(violations).toEqual([]);
  console.log(
    `paused relay beside a recovery: ${committed} events, ${recovered.answer().emitted} written again, ${duplicates} duplicates, 0 violations`,
  );
});

test('a recovery that waits for an open transaction says so, can be stopped, and leaves the gap as it was', async () => {
  await using pipeline = await TestPipeline.create(stack);
  await EntityWriter.prepare(pipeline.sql);
  const writer = new EntityWriter(pipeline.sql);
  const relay = await pipeline.startRelay();
  await writer.write('a');
  await pipeline.caughtUp();
  await relay.terminate();
  await dropSlot(pipeline);
  const slots = async () =>
    (
      await pipeline.sql.query<{ n: number }>(
        "select count(*)::int as n from pg_replication_slots where slot_name like $1 || '%'",
        [pipeline.slot],
      )
    ).rows[0]?.n;

  const open = await pipeline.connect();
  await open.query('begin');
  await open.query("select write_event('a', 'U')");
  const stop = new AbortController();
  const waiting = recover(pipeline, ['--yes'], stop.signal, (err) => {
    if (err.includes('waits for a transaction that is writing: process')) stop.abort();
  });
  expect(await waiting).toMatchObject({ code: 130 });
  // The server notices the end of the session a moment later.
  await eventually(async () => (await slots()) === 0);
  expect((await pipeline.launchRelay().ended()).code).toBe(11);
  await open.query('commit');

  // Has written nothing, so the new slot does not wait for it, but keeps the outbox.
  await open.query('begin');
  await open.query('lock table outbox in row exclusive mode');
  const busy = await recover(pipeline, ['--yes']);
  expect(busy).toMatchObject({ code: 6 });
  expect(busy.err).toContain('OUTBOX_BUSY');
  await open.query('commit');
  await open.end();
  await eventually(async () => (await slots()) === 0);

  const recovered = await recover(pipeline, ['--yes']);
  expect(recovered, recovered.err).toMatchObject({ code: 0 });
  expect(recovered.answer()).toMatchObject({ emitted: 1, filled: 0 });
  const sound = await recover(pipeline, ['--yes']);
  expect(sound.code).toBe(2);
  expect(sound.err).toContain('SLOT_HEALTHY');
  await pipeline.startRelay();
  await pipeline.caughtUp();
  const { violations, committed } = await judgePipeline(pipeline);
  expect(violations).toEqual([]);
  expect(committed).toBe(2);
  const { rows } = await pipeline.sql.query<{ verb: string; outcome: string }>(
    'select verb, outcome from operation order by started_at',
  );
  expect(rows.map(({ outcome }) => outcome)).toEqual(['INTERRUPTED', 'OUTBOX_BUSY', 'done']);
});

test('what the outbox no longer has is filled with what the entities are now', async () => {
  await using pipeline = await TestPipeline.create(stack);
  const { sql } = pipeline;
  const relay = await pipeline.startRelay();
  // Entities that have a history already.
  await sql.query('alter table category disable trigger category_first_version');
  const insert = (n: number, deleted = false) =>
    sql.query(
      `insert into category (id, code, name, version, deleted_at)
       values (('01930e2a-7b1c-7000-8000-' || lpad($1::text, 12, '0'))::uuid, 'c' || $1, 'c', 3, case when $2 then now() end)`,
      [n, deleted],
    );
  await sql.query(`
    insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
    values (gen_random_uuid(), 'catalog.category', 'published', 'catalog.category-change', 1, 'C', '{"data":{"version":1}}')`);
  await pipeline.caughtUp();
  await relay.kill();
  await dropSlot(pipeline);
  // Changes whose events somebody threw away by hand.
  await insert(1);
  await insert(2, true);
  const recovered = await recover(pipeline, ['--yes']);
  expect(recovered, recovered.err).toMatchObject({ code: 0 });
  expect(recovered.answer()).toMatchObject({ emitted: 0, filled: 2 });
  await pipeline.startRelay();
  await pipeline.caughtUp();
  const { violations, committed, duplicates } = await judgePipeline(pipeline);
  expect(violations).toEqual([]);
  expect({ committed, duplicates }).toEqual({ committed: 3, duplicates: 0 });
});

test('event types of a module come back too, what waits in the dead letters stays in its place, and what nobody knows is parked if that is said', async () => {
  await using pipeline = await TestPipeline.create(stack);
  const folder = await mkdtemp(join(tmpdir(), 'outbound-recover-'));
  const module = join(folder, 'event-types.mjs');
  const size = { partitions: 2, retentionMs: 86_400_000 };
  const routes = [changeRoute('shop.order-change', size), stateRoute('shop.order', size)];
  const order = { name: 'shop.order-change', owner: 'shop', dataType: 'shop.order' };
  await writeFile(
    module,
    `export const eventTypes = [${JSON.stringify({ ...order, version: '1.0.0', routes })}];`,
  );
  const insert = (key: string, version: number, type = 'shop.order-change') =>
    pipeline.sql.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
       values (gen_random_uuid(), 'shop.order', $1, $2, $3, 'U', '{}')`,
      [key, type, version],
    );
  await pipeline.provision({ RELAY_EVENT_TYPES: module });
  const relay = await pipeline.startRelay({ RELAY_EVENT_TYPES: module });
  await insert('one', 1);
  await insert('two', 1);
  await insert('parked', 1, 'shop.later');
  await insert('parked', 2);
  await pipeline.caughtUp();
  await relay.kill();
  await dropSlot(pipeline);
  await insert('one', 2);
  await insert('three', 1);
  await insert('parked', 3);
  await insert('unknown', 1, 'shop.later');

  const blind = await recover(pipeline, ['--yes']);
  expect(blind).toMatchObject({ code: 2 });
  expect(blind.err).toMatch(/EVENT_TYPE_UNKNOWN.*OUTBOUND_EVENT_TYPES/);
  const known = { OUTBOUND_EVENT_TYPES: module };
  const unsaid = await recover(pipeline, ['--yes'], undefined, undefined, known);
  expect(unsaid).toMatchObject({ code: 2 });
  expect(unsaid.err).toMatch(/EVENT_TYPE_UNKNOWN.*\(shop\.later\).*--park-unknown/);
  const parking = ['--yes', '--park-unknown'];
  const recovered = await recover(pipeline, parking, undefined, undefined, known);
  expect(recovered, recovered.err).toMatchObject({ code: 0 });
  expect(recovered.answer()).toMatchObject({ emitted: 4, filled: 0 });
  await pipeline.startRelay({ RELAY_EVENT_TYPES: module });
  await pipeline.caughtUp();

  const versions = new Map<string, number[]>();
  await readTopics({
    connection: connectionTo(stack.kafka.directBootstrap),
    topics: ['shop.order-change', 'shop.order', 'outbound.dead-letters'].map((name) =>
      pipeline.topic(name),
    ),
    from: ({ low }) => low,
    until: 'end',
    onBatch: (records) => {
      for (const { topic, headers } of records) {
        const place = `${topic.slice(pipeline.topicPrefix.length)} ${headers['ce_subject']}`;
        const version = headers['data_version'] ?? headers['outbox_version'];
        versions.set(place, [...(versions.get(place) ?? []), Number(version)]);
      }
    },
  });
  expect(Object.fromEntries(versions)).toEqual({
    'shop.order-change one': [1, 2],
    'shop.order-change two': [1],
    'shop.order-change three': [1],
    'shop.order one': [1, 2],
    'shop.order two': [1],
    'shop.order three': [1],
    'outbound.dead-letters parked': [1, 2, 3],
    'outbound.dead-letters unknown': [1],
  });
  await rm(folder, { recursive: true });
});

// The last one: what it does to the server, it does to every slot there.
test('a slot that Postgres gave up for its log is replaced, and nothing is missing', async () => {
  await using pipeline = await TestPipeline.create(stack);
  const { sql, slot } = pipeline;
  await EntityWriter.prepare(sql);
  const writer = new EntityWriter(sql);
  const relay = await pipeline.startRelay();
  await writer.write('a');
  await pipeline.caughtUp();
  await relay.terminate();
  await writer.write('a');
  await writer.write('b', 'D');
  await sql.query("alter system set max_slot_wal_keep_size = '1MB'");
  await sql.query('select pg_reload_conf()');
  await eventually(async () => {
    await sql.query("select pg_logical_emit_message(false, 'test', 'x')");
    await sql.query('select pg_switch_wal()');
    await sql.query('checkpoint');
    const { rows } = await sql.query<{ wal_status: string }>(
      'select wal_status from pg_replication_slots where slot_name = $1',
      [slot],
    );
    return rows[0]?.wal_status === 'lost';
  });
  // What is missing would not fit: the new slot would be given up as well.
  await sql.query(`
    insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
    select gen_random_uuid(), 'catalog.product', 'c', 'catalog.product-change', 1, 'C',
      json_build_object('data_op', 'C', 'data', json_build_object('id', 'c', 'version', 1, 'filler', string_agg(md5(n::text), '')))
    from generate_series(1, 26600) n`);
  const low = await recover(pipeline, ['--yes']);
  expect(low, low.err).toMatchObject({ code: 2 });
  expect(low.err).toContain('LOG_LIMIT_TOO_LOW');
  await sql.query('alter system reset max_slot_wal_keep_size');
  await sql.query('select pg_reload_conf()');

  const refused = pipeline.launchRelay();
  expect((await refused.ended()).code).toBe(11);
  expect(refused.tail()).toContain('outbound recover');
  const recovered = await recover(pipeline, ['--yes']);
  expect(recovered, recovered.err).toMatchObject({ code: 0 });
  expect(recovered.err).toContain('was given up by Postgres');
  expect(recovered.answer()).toMatchObject({ emitted: 3 });
  await pipeline.startRelay();
  await writer.write('b');
  await pipeline.caughtUp();
  const { violations, committed, duplicates } = await judgePipeline(pipeline);
  expect(violations).toEqual([]);
  expect({ committed, duplicates }).toEqual({ committed: 5, duplicates: 0 });
});
