import pg from 'pg';
import { eventually } from '../../../../test/support/eventually.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestPipeline } from '../../../../test/support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from '../../../../test/support/test-stack.ts';
import { openKafkaAdmin } from '../kafka/kafka-admin.ts';
import { recorded } from '../operations/operation.ts';
import { runCli } from '../run-cli.ts';
import { outbound } from '../test-support/outbound.ts';
import { verbs } from '../verbs.ts';

let stack: TestStack;
let pipeline: TestPipeline;
let env: Record<string, string>;
let apiUrl: string;
beforeAll(async () => {
  stack = await startTestStack();
  pipeline = await TestPipeline.create(stack);
  const relay = await pipeline.startRelay();
  const line = await relay.log('listening');
  apiUrl = (await pipeline.startApi()).url;
  env = {
    OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
    OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
    OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    OUTBOUND_SLOT: pipeline.slot,
    OUTBOUND_API_URL: apiUrl,
    OUTBOUND_RELAY_ADMIN_URL: `http://127.0.0.1:${String(line['port'])}`,
  };
});
afterAll(async () => {
  await pipeline[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

interface StatusJson {
  readonly slot: Record<string, unknown> | null;
  readonly relay: Record<string, unknown> | null;
  readonly outbox: Record<string, unknown> | null;
  readonly topics: readonly Record<string, unknown>[] | null;
  readonly groups: readonly Record<string, unknown>[] | null;
  readonly dead_letters: Record<string, unknown> | null;
  readonly operations: readonly Record<string, unknown>[] | null;
  readonly unknown: Record<string, string>;
}
async function status(
  over: Readonly<Record<string, string | undefined>> = {},
): Promise<{ code: number; json: StatusJson }> {
  const { code, json } = await outbound(['status', '--json'], { env: { ...env, ...over } });
  return { code, json: json()[0] as StatusJson };
}

async function create(count: number, start: number): Promise<void> {
  const items = Array.from({ length: count }, (_, index) => ({
    sku: `S-${start + index}`,
    name: 'Ring',
  }));
  const response = await fetch(`${apiUrl}/products/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ items }),
  });
  expect(response.status).toBe(207);
}

test('status shows every part as it is, and a group that is behind with its lag in records and in seconds', async () => {
  await create(50, 0);
  await pipeline.caughtUp();
  const topic = pipeline.topic('catalog.product-change');
  const admin = await openKafkaAdmin({
    brokers: stack.kafka.bootstrap,
    clientId: 'test',
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5000,
  });
  const ends = await admin.topicRanges(topic);
  const behind = ends.find(({ high }) => high > 0n);
  if (!behind) throw new Error('no partition has a record');
  const { partition: late } = behind;
  await admin.setGroupOffsets(
    'billing',
    topic,
    ends.map(({ partition, high }) => ({
      partition,
      offset: partition === late ? high - 1n : high,
    })),
  );
  await admin.setGroupOffsets('new', topic, [{ partition: late, offset: behind.high }]);
  await admin.close();
  const pool = new pg.Pool({ connectionString: env['OUTBOUND_DATABASE_URL'] });
  await recorded(pool, { verb: 'backfill', parameters: {} }, () => Promise.resolve());
  await pool.end();

  const { code, json } = await status();
  expect(code).toBe(0);
  expect(json.unknown).toEqual({});
  expect(json.slot).toMatchObject({
    exists: true,
    name: pipeline.slot,
    active: true,
    wal_status: 'reserved',
    lag_bytes: expect.any(Number) as unknown,
  });
  expect(json.outbox).toMatchObject({ days_ahead: 7, default_has_rows: false });
  expect(json.relay).toMatchObject({
    state: 'streaming',
    delivery_lag_p99_seconds: expect.any(Number) as unknown,
  });
  expect(json.topics).toContainEqual(
    expect.objectContaining({ topic, exists: true, partitions: 6, records: 50 }),
  );
  const groups = json.groups?.filter((group) => group['topic'] === topic) ?? [];
  expect(groups).toMatchObject([
    { group: 'billing', state: 'Empty', members: 0, lag_records: 1, expired_records: 0 },
    { group: 'new', lag_records: null, lag_seconds: null },
  ]);
  const lagSeconds = groups[0]?.['lag_seconds'];
  expect(lagSeconds).toBeGreaterThan(0);
  expect(lagSeconds).toBeLessThan(300);
  expect(json.dead_letters).toMatchObject({ exists: true, keys: 0, events: 0, oldest_at: null });
  expect(json.operations).toMatchObject([{ verb: 'backfill', outcome: 'done' }]);

  const { out } = await outbound(['status'], { env });
  expect(out).toContain(`${pipeline.slot} is read by a relay; wal_status reserved`);
  expect(out).toMatch(/relay +streaming · delivery lag p50 /);
  expect(out).toMatch(/billing +Empty +0 +\S+catalog\.product-change +1 +\S+ m?s$/m);
  expect(out).toMatch(/new +Empty .* unknown +unknown +no position on \d partitions$/m);
  expect(out).toMatch(/backfill .* done$/m);
});

test('what cannot be reached is unknown, with its reason, and the other parts answer', async () => {
  const nobody = 'postgres://outbound_operator:x@127.0.0.1:1/catalog';
  const { code, json } = await status({ OUTBOUND_DATABASE_URL: nobody });
  expect(code).toBe(5);
  expect(json).toMatchObject({ slot: null, publication: null, outbox: null, operations: null });
  expect(json.unknown['slot']).toMatch(/ECONNREFUSED/);
  expect(json.topics).toHaveLength(4);

  const wrong = new URL(env['OUTBOUND_DATABASE_URL'] ?? '');
  wrong.password = 'not-the-password';
  const refused = await status({ OUTBOUND_DATABASE_URL: wrong.href });
  expect(refused.code).toBe(5);
  expect(refused.json.unknown['slot']).toMatch(/password authentication failed/);

  const kafkaGone = await status({ OUTBOUND_KAFKA_BROKERS: '127.0.0.1:1' });
  expect(kafkaGone.code).toBe(5);
  expect(kafkaGone.json).toMatchObject({ topics: null, groups: null, slot: { exists: true } });
  expect(kafkaGone.json.unknown).toEqual({
    kafka: expect.stringContaining('127.0.0.1:1') as string,
    dead_letters: expect.stringContaining('127.0.0.1:1') as string,
  });

  const relayGone = await status({ OUTBOUND_RELAY_ADMIN_URL: undefined });
  expect(relayGone.code).toBe(0);
  expect(relayGone.json.relay).toBe(null);
  expect(relayGone.json.unknown['relay']).toMatch(/OUTBOUND_RELAY_ADMIN_URL is not set/);

  const { code: none, out } = await outbound(['status'], {
    env: { OUTBOUND_DATABASE_URL: nobody },
  });
  expect(none).toBe(5);
  expect(out).toMatch(/slot +outbound: unknown: .*\n.*\noutbox +unknown/);
});

test('a slot that is not there is said so, and not unknown', async () => {
  const { json } = await status({ OUTBOUND_SLOT: 'another' });
  expect(json.slot).toEqual({ exists: false });
  expect(json.unknown).toEqual({});
});

test('watching looks again until it is stopped, which is no failure', async () => {
  const stop = new AbortController();
  let looks = 0;
  const code = await runCli(
    {
      argv: ['status', '--watch', '0.1', '--json'],
      env,
      out: {
        write: () => {
          looks += 1;
          if (looks === 3) stop.abort();
          return true;
        },
      },
      err: { write: () => true },
      signal: stop.signal,
      version: '0',
    },
    verbs,
  );
  expect({ code, looks }).toEqual({ code: 0, looks: 3 });
});

test('doctor finds nothing wrong with a pipeline that works, and what was broken on purpose', async () => {
  const doctor = async (over: Readonly<Record<string, string | undefined>> = {}) => {
    const { code, json } = await outbound(['doctor', '--json'], { env: { ...env, ...over } });
    const [{ findings }] = json() as [{ findings: { check: string; level: string }[] }];
    return {
      code,
      findings,
      of: (level: string) => findings.filter((each) => each.level === level),
    };
  };
  // The relay looks at its slot now and then, and has not seen it before the first time.
  await eventually(async () => (await fetch(`${env['OUTBOUND_RELAY_ADMIN_URL']}/readyz`)).ok);
  const healthy = await doctor();
  expect(healthy.of('fault')).toEqual([]);
  expect(healthy.of('unknown')).toEqual([]);
  expect(healthy.code).toBe(0);
  for (const check of [
    'postgres',
    'roles',
    'publication outbound',
    `slot ${pipeline.slot}`,
    'outbox partitions',
    'migrations',
    'clock',
    'kafka',
    'advertised listeners',
    `topic ${pipeline.topic('catalog.product')}`,
    'api',
    'relay',
  ])
    expect(healthy.of('ok').map((each) => each.check)).toContain(check);

  await pipeline.sql.query('alter publication outbound set (publish_via_partition_root = false)');
  await pipeline.sql.query(`insert into relay_slot values ('gone', '1', now(), '0/0')`);
  try {
    const broken = await doctor({ OUTBOUND_SLOT: 'gone', OUTBOUND_TOPIC_PREFIX: 'nowhere.' });
    expect(broken.code).toBe(3);
    expect(broken.of('fault').map((each) => each.check)).toEqual([
      'publication outbound',
      'slot gone',
      ...['category', 'category-change', 'product', 'product-change'].map(
        (name) => `topic nowhere.catalog.${name}`,
      ),
    ]);
  } finally {
    await pipeline.sql.query('alter publication outbound set (publish_via_partition_root = true)');
  }
});
