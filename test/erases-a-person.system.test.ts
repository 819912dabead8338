import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTopics } from '@outbound/consumer';
import { partitionOf } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { eventually } from './support/eventually.ts';
import type { RelayProcess } from './support/relay-process.ts';
import { connectionTo } from './support/read-topics.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from './support/test-stack.ts';

let stack: TestStack;
let pipeline: TestPipeline;
let url: string;
let relay: RelayProcess;
let folder: string;
/** A module without the event type of products. */
let before: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-erase-'));
  before = join(folder, 'event-types.mjs');
  const declared = [...eventTypes.values()]
    .filter(({ name }) => name !== 'catalog.product-change')
    .map(({ name, owner, dataType, version, routes }) => ({
      ...{ name, owner, dataType, version, routes },
    }));
  await writeFile(before, `export const eventTypes = ${JSON.stringify(declared)};`);
  // A broker that looks all the time for what is due; the bounds of the topics are theirs.
  const settings = {
    'log.cleaner.backoff.ms': '200',
    'log.retention.check.interval.ms': '300',
    'log.segment.delete.delay.ms': '100',
    'log.cleaner.delete.retention.ms': '100',
  };
  stack = await startTestStack({ kafka: { dataDir: join(folder, 'kafka'), settings } });
  pipeline = await TestPipeline.create(stack);
  url = (await pipeline.startApi()).url;
  relay = await pipeline.startRelay();
});
afterAll(async () => {
  await pipeline?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const command = async (...argv: readonly string[]) => {
  const run = await outbound(['--json', ...argv], {
    env: {
      OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
      OUTBOUND_SLOT: pipeline.slot,
    },
  });
  return { ...run, answer: run.json()[0] as Record<string, unknown> };
};
const erase = (id: string, ...options: readonly string[]) =>
  command('erase', 'product', id, '--yes', ...options);

async function request(
  method: string,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  return fetch(`${url}${path}`, {
    method,
    headers: {
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      ...headers,
    },
    body: JSON.stringify(body),
  });
}
/** A product that is nothing but the canary. */
async function create(canary: string, headers: Readonly<Record<string, string>> = {}) {
  const answer = await request(
    'POST',
    '/products',
    { sku: canary, name: canary, description: canary, brand: canary, attributes: { by: canary } },
    headers,
  );
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

/** Tables that have the text anywhere, in whatever case (words of a search are in small letters), the planner's statistics included. */
async function tablesWith(canary: string): Promise<string[]> {
  const { rows } = await pipeline.sql.query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace union all select 'pg_stats'",
  );
  const found: string[] = [];
  for (const { name } of rows) {
    const { rowCount } = await pipeline.sql.query(
      `select from ${name} as t where t::text ilike $1 limit 1`,
      [`%${canary}%`],
    );
    if ((rowCount ?? 0) > 0) found.push(name.replace(/_\d{8}$/, ''));
  }
  return found.sort();
}
/** Topics that have the text on the broker's disk, whether anybody can read it or not. */
async function topicsOnDiskWith(canary: string): Promise<string[]> {
  const listed = await new Promise<string>((resolve) =>
    execFile('grep', ['-rla', canary, join(folder, 'kafka')], (_error, stdout) => {
      resolve(stdout);
    }),
  );
  const topics = listed
    .split('\n')
    .flatMap((path) => /\/([^/]+)-\d+\/[^/]*\.log$/.exec(path)?.[1] ?? [])
    .map((topic) => topic.slice(pipeline.topicPrefix.length));
  return [...new Set(topics)].sort();
}
/** What readers see of a key: `<operation> <version>`, `-` for a tombstone, a `!` behind what has the text. */
async function readersSee(topic: string, id: string, canary: string): Promise<string[]> {
  const seen: string[] = [];
  await readTopics({
    connection: connectionTo(stack.kafka.directBootstrap),
    topics: [pipeline.topic(topic)],
    from: ({ low }) => low,
    until: 'end',
    onBatch: (records) => {
      for (const { key, value, headers } of records)
        if (String(key) === id)
          seen.push(
            value === null
              ? '-'
              : `${headers['data_op'] ?? ''} ${headers['data_version'] ?? ''}${value.includes(canary) ? '!' : ''}`,
          );
    },
  });
  return seen;
}
const newCanary = () => `Canary-${randomBytes(8).toString('hex')}`;
const changes = 'catalog.product-change';

describe('erase', () => {
  it('waits for what was promised to be published; then nothing has the data, nothing brings it back, and it leaves the disk', async () => {
    const canary = newCanary();
    const key = randomUUID();
    const patchKey = randomUUID();
    // Of a table that is left empty Postgres keeps the statistics that it has.
    await create('bystander', { 'idempotency-key': randomUUID() });
    const id = await create(canary, { 'idempotency-key': key });
    await pipeline.caughtUp();
    await relay.terminate();
    const patched = await request(
      'PATCH',
      `/products/${id}`,
      { name: `${canary} again` },
      { 'if-match': '"1"', 'idempotency-key': patchKey },
    );
    expect(patched.status).toBe(200);
    // The words of the search come a moment later.
    await eventually(async () => (await tablesWith(canary)).includes('product_search'));
    await pipeline.sql.query('analyze');
    expect(await tablesWith(canary)).toEqual([
      ...['idempotency_key', 'outbox', 'pg_stats', 'product', 'product_search'],
    ]);
    expect(await topicsOnDiskWith(canary)).toEqual(['catalog.product', changes]);

    const dry = await command('erase', 'product', id, '--dry-run');
    expect(dry).toMatchObject({ code: 0, answer: { done: false } });
    expect(dry.err).toContain('2 events in the outbox');
    expect(await command('erase', 'product', id)).toMatchObject({ code: 4 });

    // Its second event is not published: it stays, and is.
    const early = await erase(id);
    expect(early).toMatchObject({
      code: 3,
      answer: { ...{ version: 3, answers: 2, outboxRows: 0, done: false }, parked: false },
    });
    expect(early.answer['waitsFor']).toContain('has confirmed');
    await eventually(async () => {
      expect(await tablesWith(canary)).toEqual(['outbox']);
      return true;
    });
    relay = await pipeline.startRelay();
    await pipeline.caughtUp();
    expect(await readersSee(changes, id, canary)).toEqual(['C 1!', 'U 2!', 'D 3']);

    const done = await erase(id);
    expect(done).toMatchObject({
      code: 0,
      answer: { version: 4, answers: 0, outboxRows: 3, waitsFor: null, done: true },
    });
    expect(await tablesWith(canary)).toEqual([]);
    await pipeline.caughtUp();
    expect(await readersSee(changes, id, canary)).toEqual(['C 1!', 'U 2!', 'D 3', 'D 4']);
    const { rows } = await pipeline.sql.query(
      'select id, version, sku from product where id = $1',
      [id],
    );
    expect(rows).toEqual([{ id, version: '4', sku: 'purged' }]);
    expect((await fetch(`${url}/products/${id}`)).status).toBe(404);
    // The same requests again are not done again, and show nothing.
    const again = await request(
      'PATCH',
      `/products/${id}`,
      { name: `${canary} again` },
      { 'if-match': '"1"', 'idempotency-key': patchKey },
    );
    expect(again.status).toBe(404);
    expect(await again.json()).toMatchObject({ type: '/problems/not-found', status: 404 });

    // A day or a lost slot later: whatever publishes again has nothing to publish.
    await relay.terminate();
    await eventually(
      async () => {
        await pipeline.sql.query('select pg_drop_replication_slot($1)', [pipeline.slot]);
        return true;
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    );
    const recovered = await command('recover', '--yes');
    expect(recovered, recovered.err).toMatchObject({ code: 0, answer: { emitted: 0 } });
    relay = await pipeline.startRelay();
    for (const verb of [
      ['backfill', 'product', '--yes'],
      ['replay', 'events', '--key', id, '--to-topic', pipeline.topic(changes), '--yes'],
      ['dead-letters', 'redrive', '--all', '--yes'],
      ['verify', 'product', '--repair', '--yes'],
    ])
      expect(await command(...verb), verb.join(' ')).toMatchObject({ code: 0 });
    await pipeline.caughtUp();
    const [first, second, ...rest] = await readersSee(changes, id, canary);
    expect([first, second]).toEqual(['C 1!', 'U 2!']);
    expect(rest.join(' ')).not.toContain('!');
    expect((await readersSee('catalog.product', id, canary)).at(-1)).toBe('-');
    expect(await tablesWith(canary)).toEqual([]);

    // At once, for whoever reads; and from the disk, when the segments have had their time.
    const atOnce = await erase(id, '--delete-records');
    expect(atOnce).toMatchObject({
      code: 0,
      answer: { deletedRecords: [{ topic: pipeline.topic(changes) }] },
    });
    expect(await readersSee(changes, id, canary)).toEqual(['D 5']);
    for (const topic of [changes, 'catalog.product'])
      await quicken(topic, topic === changes ? 'retention.ms=1000' : 'max.compaction.lag.ms=200');
    await eventually(
      async () => {
        // A segment is closed by the next record of its partition.
        for (let n = 0; n < 20; n += 1) await create(`roller-${randomBytes(6).toString('hex')}`);
        await pipeline.caughtUp();
        return (await topicsOnDiskWith(canary)).length === 0;
      },
      { timeoutMs: 60_000, intervalMs: 300 },
    );
  });

  it('takes dead letters out of their topic and leaves those of others, who are published when the relay can', async () => {
    const canary = newCanary();
    await relay.terminate();
    await quicken('outbound.dead-letters', 'retention.ms=-1');
    // What the other test made short: here the changes are to be read.
    await quicken(changes, 'retention.ms=604800000');
    const old = await pipeline.startRelay({ RELAY_EVENT_TYPES: before });
    const id = await create(canary);
    const others: string[] = [];
    do others.push(await create(`other-${randomBytes(6).toString('hex')}`));
    while (!others.some((each) => partitionOf(each, 3) === partitionOf(id, 3)));
    await request('PATCH', `/products/${id}`, { name: `${canary} again` }, { 'if-match': '"1"' });
    await pipeline.caughtUp();
    expect(await topicsOnDiskWith(canary)).toEqual(['outbound.dead-letters']);

    // The deletion has become a dead letter itself: the letters are needed.
    expect(await erase(id)).toMatchObject({ code: 3, answer: { parked: true, deadLetters: null } });
    await old.terminate();
    await pipeline.startRelay({ RELAY_REDRIVE: 'false' });
    const done = await erase(id);
    expect(done, done.err).toMatchObject({ code: 0, answer: { parked: false, done: true } });
    expect(done.answer['deadLetters']).toMatchObject({
      moved: expect.any(Number) as number,
    });
    expect((done.answer['deadLetters'] as { moved: number }).moved).toBeGreaterThan(0);
    expect(await readersSee('outbound.dead-letters', id, canary)).toEqual([]);
    expect(await tablesWith(canary)).toEqual([]);
    expect(await readersSee(changes, id, canary)).toEqual(['D 4']);

    const redriven = await command('dead-letters', 'redrive', '--all', '--yes');
    expect(redriven, redriven.err).toMatchObject({ code: 0, answer: { parked: [] } });
    for (const other of others)
      expect(await readersSee(changes, other, canary), other).toEqual(['C 1']);
    expect(await readersSee(changes, id, canary)).toEqual(['D 4']);

    await eventually(async () => (await topicsOnDiskWith(canary)).length === 0, {
      timeoutMs: 30_000,
      intervalMs: 200,
    });
  });
});

/** Gives a topic segments of a moment, with a bound of its own. */
async function quicken(topic: string, bound: string): Promise<void> {
  const { code, stderr } = await stack.kafka.tool('configs', [
    ...['--alter', '--entity-type', 'topics', '--entity-name', pipeline.topic(topic)],
    ...['--add-config', `segment.ms=200,min.cleanable.dirty.ratio=0.001,${bound}`],
  ]);
  expect(code, stderr).toBe(0);
}
