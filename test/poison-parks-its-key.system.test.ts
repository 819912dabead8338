import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTopics } from '@outbound/consumer';
import { eventTypes } from '@outbound/schemas';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { connectionTo } from './support/read-topics.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from './support/test-stack.ts';

/** A type of the catalog that a relay of before does not know. */
const later = 'catalog.category-change';

let stack: TestStack;
let folder: string;
/** A module with every event type but that one. */
let before: string;
let pipeline: TestPipeline;
let writer: EntityWriter;
beforeAll(async () => {
  stack = await startTestStack();
  folder = await mkdtemp(join(tmpdir(), 'outbound-poison-'));
  before = join(folder, 'event-types.mjs');
  const declared = [...eventTypes.values()]
    .filter(({ name }) => name !== later)
    .map(({ name, owner, dataType, version, routes }) => ({
      ...{ name, owner, dataType, version, routes },
    }));
  await writeFile(before, `export const eventTypes = ${JSON.stringify(declared)};`);
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  pipeline = await TestPipeline.create(stack);
  await EntityWriter.prepare(pipeline.sql);
  writer = new EntityWriter(pipeline.sql);
  return async () => pipeline[Symbol.asyncDispose]();
});

/** The first event of a key, of the later type, as a row of another service. */
async function writeLater(key: string, columns: Readonly<Record<string, string>> = {}) {
  const { headers = '{}', type = later } = columns;
  await pipeline.sql.query(
    `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
     values (gen_random_uuid(), 'catalog.product', $1, $2, 1, 'C', '{"data_op":"C"}', $3)`,
    [key, type, headers],
  );
  await pipeline.sql.query('insert into entity (id, version) values ($1, 1)', [key]);
}

/** `outbound dead-letters …`, or `outbound status`. */
async function deadLetters(...argv: readonly string[]) {
  return outbound(['--json', ...(argv[0] === 'status' ? [] : ['dead-letters']), ...argv], {
    env: {
      OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
      OUTBOUND_SLOT: pipeline.slot,
    },
  });
}

/** The versions of a key in a topic, as they stand there. */
async function versionsOf(key: string, topic: string): Promise<number[]> {
  const versions: number[] = [];
  await readTopics({
    connection: connectionTo(stack.kafka.directBootstrap),
    topics: [pipeline.topic(topic)],
    from: ({ low }) => low,
    until: 'end',
    onBatch: (records) => {
      for (const { key: found, headers } of records)
        if (String(found) === key) versions.push(Number(headers['data_version']));
    },
  });
  return versions;
}

describe('an event that the relay cannot publish', () => {
  it('parks its key over a restart and a kill, and a relay that knows its type publishes everything of it, in order, before what is new', async () => {
    const old = await pipeline.startRelay({ RELAY_EVENT_TYPES: before });
    await writer.write('flows');
    await writeLater('waits');
    for (let round = 0; round < 3; round += 1) {
      await writer.write('waits');
      await writer.write('flows');
    }
    await pipeline.caughtUp();
    expect(await versionsOf('flows', 'catalog.product-change')).toEqual([1, 2, 3, 4]);
    expect(await versionsOf('waits', 'catalog.product-change')).toEqual([]);
    expect((await old.ready()).checks['relay']).toMatchObject({
      ok: true,
      detail: expect.stringContaining('parked keys: 1 by EVENT_TYPE_UNKNOWN') as string,
    });
    expect(await old.metric('relay_parked_keys')).toBe(1);

    await old.kill();
    const same = await pipeline.startRelay({ RELAY_EVENT_TYPES: before });
    await writer.write('waits');
    await pipeline.caughtUp();
    expect(await versionsOf('waits', 'catalog.product-change')).toEqual([]);
    expect((await deadLetters('list')).json()).toMatchObject([
      { keys: [{ key: 'waits', waiting: 5, code: 'EVENT_TYPE_UNKNOWN' }] },
    ]);
    const [status] = (await deadLetters('status')).json() as [{ dead_letters: unknown }];
    expect(status.dead_letters).toMatchObject({
      ...{ keys: 1, events: 5, by_code: { EVENT_TYPE_UNKNOWN: 1 } },
      oldest_seconds: expect.any(Number) as number,
    });
    await same.terminate();

    await pipeline.startRelay();
    await writer.write('waits');
    await eventually(
      async () => (await versionsOf('waits', 'catalog.product-change')).length === 5,
      { timeoutMs: 60_000, intervalMs: 500 },
    );
    await pipeline.caughtUp();
    expect((await deadLetters('list')).json()).toEqual([{ keys: [] }]);
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict.duplicates).toBe(0);
  });

  it('is published by an operator when the relay can, with every later event of its key behind it', async () => {
    const old = await pipeline.startRelay({ RELAY_EVENT_TYPES: before });
    await writeLater('waits');
    await writer.write('waits');
    await pipeline.caughtUp();
    const early = await deadLetters('redrive', '--key', 'waits', '--yes');
    expect(early.code).toBe(3);
    expect(early.json()).toMatchObject([{ free: 0, parked: [{ key: 'waits', waiting: 2 }] }]);
    await old.terminate();
    await pipeline.startRelay({ RELAY_REDRIVE: 'false' });
    const shown = await deadLetters('show', '--type', later);
    expect(shown.json()).toMatchObject([
      {
        letters: [
          { number: 1, type: later, version: '1' },
          { number: 2, version: '2' },
        ],
      },
    ]);
    expect((await deadLetters('redrive')).code).toBe(2);
    const done = await deadLetters('redrive', '--all', '--yes');
    expect(done.json()).toMatchObject([{ written: 2, free: 1, parked: [] }]);
    expect(await versionsOf('waits', 'catalog.product-change')).toEqual([2]);
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    const { rows } = await pipeline.sql.query(
      `select verb, outcome from operation order by started_at`,
    );
    expect(rows).toEqual([
      { verb: 'dead-letters', outcome: 'done' },
      { verb: 'dead-letters', outcome: 'done' },
    ]);
  });

  it('is given up by an operator, and its key flows again', async () => {
    await pipeline.startRelay();
    await writeLater('broken', { type: 'catalog.unheard-of' });
    await writer.write('broken');
    await pipeline.caughtUp();
    const gone = await deadLetters('discard', '--key', 'broken', '--yes');
    expect(gone.json()).toMatchObject([{ free: 1, parked: [] }]);
    await writer.write('broken');
    await pipeline.caughtUp();
    expect(await versionsOf('broken', 'catalog.product')).toEqual([3]);
  });

  it('is published by an operator after a broker has refused it, when its topic takes it again', async () => {
    const relay = await pipeline.startRelay();
    await writer.write('flows');
    await pipeline.caughtUp();
    await relay.terminate();
    const configure = (...change: readonly string[]) =>
      stack.kafka.tool('configs', [
        ...['--alter', '--entity-type', 'topics', '--entity-name'],
        ...[pipeline.topic('catalog.product-change'), ...change],
      ]);
    // What was committed before a relay has started is too old for this topic, and for no other. (The ends of transactions have to be young enough.)
    await configure('--add-config', 'message.timestamp.before.max.ms=200');
    await writer.write('refused');
    await writer.write('refused');
    await pipeline.startRelay();
    await eventually(
      async () => JSON.stringify((await deadLetters('list')).json()).includes('EVENT_REFUSED'),
      { timeoutMs: 30_000, intervalMs: 500 },
    );
    await configure('--delete-config', 'message.timestamp.before.max.ms');
    await writer.write('flows');
    await writer.write('refused');
    await pipeline.caughtUp();
    expect(await versionsOf('flows', 'catalog.product-change')).toEqual([1, 2]);
    const done = await deadLetters('redrive', '--key', 'refused', '--yes');
    expect(done.json()).toMatchObject([{ written: 3, free: 1, parked: [] }]);
    expect(await versionsOf('refused', 'catalog.product-change')).toEqual([1, 2, 3]);
    // The topic that had taken it has it once more, however relays deliver: a person has said so.
    const verdict = await judgePipeline(pipeline, { repeatedByPeople: 3 });
    expect(verdict.violations).toEqual([]);
  });
});
