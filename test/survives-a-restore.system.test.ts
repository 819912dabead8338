import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { verbs } from '../packages/cli/src/verbs.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { readTopics } from './support/read-topics.ts';
import type { RelayProcess } from './support/relay-process.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from './support/test-stack.ts';

/** A data directory brought back from a copy has the same identity, timeline and slot, and a log behind what the topics hold. */
describe.each([18, 15] as const)('a data directory that was brought back, Postgres %i', (major) => {
  let stack: TestStack;
  let pipeline: TestPipeline;
  let copy: string;
  let relay: RelayProcess;

  beforeAll(async () => {
    stack = await startTestStack({ postgres: { major } });
    pipeline = await TestPipeline.create(stack);
    copy = `${stack.postgres.dataDir}.copy`;
    await published(20);
    await stopped();
    execFileSync('cp', ['-a', stack.postgres.dataDir, copy]);
  });
  // Each test begins with the copy.
  afterEach(() => stopped());
  afterAll(async () => {
    await pipeline?.[Symbol.asyncDispose]();
    await stack?.[Symbol.asyncDispose]();
    execFileSync('rm', ['-rf', copy]);
  });

  /** A relay and so many new products, all of them published. */
  async function published(count: number): Promise<void> {
    relay = await pipeline.startRelay();
    await created(pipeline, count);
    await pipeline.caughtUp();
  }

  async function stopped(): Promise<void> {
    if (relay.isRunning) await relay.terminate();
    await stack.postgres.stop('fast');
  }

  async function broughtBack(): Promise<void> {
    execFileSync('rm', ['-rf', stack.postgres.dataDir]);
    execFileSync('cp', ['-a', copy, stack.postgres.dataDir]);
    await stack.postgres.start();
    await pipeline.reconnect();
  }

  /** Publishes 20 events of a history that is lost then, behind so many bytes of other log. Gives where its log ended. */
  async function lostHistory(otherBytes: number): Promise<string> {
    await broughtBack();
    await pipeline.sql.query("select pg_logical_emit_message(false, 'other', repeat('x', $1))", [
      otherBytes,
    ]);
    await published(20);
    const end = await pipeline.walEnd();
    await stopped();
    await broughtBack();
    expect(await isBefore(pipeline, end)).toBe(true);
    return end;
  }

  const env = () => ({
    OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
    OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
    OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    OUTBOUND_SLOT: pipeline.slot,
  });

  it('publishes everything where the log is still behind the topics, and says what it found', async () => {
    const end = await lostHistory(4_000_000);
    const ids = await created(pipeline, 20);
    expect(await isBefore(pipeline, end)).toBe(true);
    relay = await pipeline.startRelay();
    await pipeline.caughtUp();
    expect(await missing(pipeline, ids)).toEqual([]);
    const { checks } = await relay.ready();
    expect(checks['relay']).toMatchObject({ ok: true });
    expect(checks['relay']?.detail).toContain('outbound verify --repair');
    expect(await relay.metric('relay_tails_refuted_total')).toBeGreaterThan(0);
    const { port } = (await relay.log('listening')) as unknown as { port: number };
    const status = await outbound(['status'], {
      env: { ...env(), OUTBOUND_RELAY_ADMIN_URL: `http://127.0.0.1:${port}` },
    });
    expect(status.out).toContain('partitions hold events that this database does not have');
    const warned = relay.logs.filter(({ message }) =>
      String(message).startsWith('the last record of a partition is not in the log'),
    );
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatchObject({ code: 'SOURCE_WENT_BACK' });

    // Products of the lost history are ghosts; what puts them right arrives.
    for (let round = 0; round < 2; round += 1)
      await outbound(['verify', '--repair', '--yes'], { env: env(), verbs });
    const verified = await outbound(['verify', 'product'], { env: env(), verbs });
    expect(verified, verified.out).toMatchObject({ code: 0 });
  });

  it('publishes everything where the log has passed what the topics hold, after a crash in the midst of it too', async () => {
    const end = await lostHistory(0);
    const ids = await created(pipeline, 60);
    expect(await isBefore(pipeline, end)).toBe(false);
    const killed = pipeline.launchRelay({ RELAY_FAIL_POINT: 'after-publish-before-track:2' });
    await eventually(() => !killed.isRunning);
    relay = await pipeline.startRelay();
    await pipeline.caughtUp();
    expect(await missing(pipeline, ids)).toEqual([]);
  });

  it('has what a recovery writes again published, behind old positions', async () => {
    const end = await lostHistory(4_000_000);
    const ids = await created(pipeline, 20);
    const recovered = await outbound(['--json', 'recover', '--force', '--yes'], {
      env: env(),
    });
    expect(recovered, recovered.err).toMatchObject({ code: 0 });
    expect(recovered.json()[0]).toMatchObject({ emitted: 20 });
    expect(await isBefore(pipeline, end)).toBe(true);
    relay = await pipeline.startRelay();
    await pipeline.caughtUp();
    expect(await missing(pipeline, ids)).toEqual([]);
  });
});

describe('a standby that was promoted, with the slot', () => {
  it('goes on where the topics end, though its slot is behind them and its timeline another', async () => {
    await using stack = await startTestStack();
    await using pipeline = await TestPipeline.create(stack);
    // It makes the slot.
    await (await pipeline.startRelay()).terminate();
    await created(pipeline, 20);
    // Published, and the slot was not told.
    const killed = pipeline.launchRelay({ RELAY_FAIL_POINT: 'after-publish-before-track:1' });
    await eventually(() => !killed.isRunning);
    await stack.postgres.stop('fast');
    writeFileSync(join(stack.postgres.dataDir, 'standby.signal'), '');
    await stack.postgres.start();
    await pipeline.reconnect();
    await pipeline.sql.query('select pg_promote()');
    const relay = await pipeline.startRelay();
    await created(pipeline, 1);
    await pipeline.caughtUp();
    expect(relay.logs).toContainEqual(
      expect.objectContaining({
        message: 'the topics are ahead of the slot: what they hold is left out when the log has it',
      }),
    );
    const { violations, committed, duplicates } = await judgePipeline(pipeline);
    expect({ violations, committed, duplicates }).toEqual({
      violations: [],
      committed: 21,
      duplicates: 0,
    });
  });
});

/** So many new products, as the API writes them, with their events. */
async function created(pipeline: TestPipeline, count: number): Promise<string[]> {
  const { api, url } = await pipeline.startApi();
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const response = await fetch(`${url}/products`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"sku":"${uuidv7()}","name":"n","price":{"amount":1.50,"currency":"EUR"},"status":"ACTIVE"}`,
    });
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
    ids.push((response.headers.get('location') ?? '').split('/').at(-1) ?? '');
  }
  await api.terminate();
  return ids;
}

/** True if the log has not come as far as `end` yet. */
async function isBefore({ sql }: TestPipeline, end: string): Promise<boolean> {
  const { rows } = await sql.query<{ ok: boolean }>(
    'select pg_current_wal_lsn() < $1::pg_lsn as ok',
    [end],
  );
  return rows[0]?.ok === true;
}

/** `topic key` of each of these products that one of its topics does not hold. */
async function missing(pipeline: TestPipeline, ids: readonly string[]): Promise<string[]> {
  const topics = ['catalog.product', 'catalog.product-change'].map((name) => pipeline.topic(name));
  const held = new Set<string>();
  await readTopics(pipeline.stack.kafka.directBootstrap, topics, ({ topic, key }) =>
    held.add(`${topic} ${key}`),
  );
  return topics
    .flatMap((topic) => ids.map((id) => `${topic} ${id}`))
    .filter((each) => !held.has(each));
}
