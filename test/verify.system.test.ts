import { execFileSync } from 'node:child_process';
import { partitionOf } from '@outbound/contract';
import { productChange } from '@outbound/schemas';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../packages/cli/src/run-cli.ts';
import { outbound, type Run } from '../packages/cli/src/test-support/outbound.ts';
import { verbs } from '../packages/cli/src/verbs.ts';
import { eventually } from './support/eventually.ts';
import type { RelayProcess } from './support/relay-process.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from './support/test-stack.ts';

const partitions = productChange.routes[0]?.partitions ?? 0;

/** A verdict as `--json` gives it. */
interface Answer {
  readonly aggregate: string;
  readonly state: string;
  readonly compared: number;
  readonly candidates: number;
  readonly differences: number;
  readonly undecided: number;
  readonly undecided_why: string | null;
  readonly behind_bytes: number | null;
  readonly rounds: number;
  readonly duration_ms: number;
  readonly ids: Readonly<Record<string, readonly string[]>>;
}

/** Inbound equals outbound: real Postgres, Kafka, relay and API, and writers that never stop. */
describe('outbound verify', () => {
  let stack: TestStack;
  let pipeline: TestPipeline;
  let relay: RelayProcess;
  let url: string;
  let producer: Producer;
  let load: ApiLoad;
  /** Products that the writers leave alone; the last one is deleted. */
  let quiet: string[];

  beforeAll(async () => {
    stack = await startTestStack();
    pipeline = await TestPipeline.create(stack);
    relay = await pipeline.startRelay();
    url = (await pipeline.startApi()).url;
    producer = new Kafka({
      brokers: [...stack.kafka.bootstrap],
      logLevel: logLevel.NOTHING,
    }).producer({ allowAutoTopicCreation: false });
    await producer.connect();
    quiet = [];
    for (let n = 0; n < 12; n += 1) quiet.push(await create(url, 'products', n));
    for (const [n, id] of quiet.entries()) if (n % 2 === 0) await rename(url, id);
    const last = quiet.at(-1) ?? '';
    await remove(url, last);
    load = new ApiLoad(url);
    await eventually(() => load.count > 50);
  });
  afterAll(async () => {
    await load?.stop();
    await producer?.disconnect();
    await pipeline?.[Symbol.asyncDispose]();
    await stack?.[Symbol.asyncDispose]();
  });

  const env = () => ({
    OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
    OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
    OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    OUTBOUND_SLOT: pipeline.slot,
  });
  const verify = (...args: string[]): Promise<Run> => outbound(['verify', ...args], { env: env() });
  const answers = (run: Run) => run.json() as Answer[];
  const append = (key: string, value: string | null, partition = partitionOf(key, partitions)) =>
    producer.send({
      topic: pipeline.topic('catalog.product'),
      acks: -1,
      messages: [{ key, value, partition }],
    });
  /** With kcat, as docs/verify.md says. */
  const tombstone = (key: string, ...where: string[]): Buffer =>
    execFileSync(
      'kcat',
      [
        ...['-P', '-b', stack.kafka.bootstrap.join(',')],
        ...['-t', pipeline.topic('catalog.product'), ...where, '-K', '\t', '-Z'],
      ],
      { input: `${key}\t` },
    );
  /** The value that the outbox has for a version; the newest if none is named. */
  async function valueOf(id: string, version?: number): Promise<string> {
    const { rows } = await pipeline.sql.query<{ payload: string }>(
      `select payload::text from outbox where aggregateid = $1 and version = coalesce($2, version) and data_op <> 'D'
       order by version desc limit 1`,
      [id, version ?? null],
    );
    return rows[0]?.payload ?? '';
  }

  it('is clean again and again while writers create, change and delete', async () => {
    const before = load.count;
    for (let run = 0; run < 3; run += 1) {
      const result = await verify('--json');
      const [product, category] = answers(result);
      console.log(
        `verify under load: ${JSON.stringify(product?.compared)} products, ${product?.candidates} looked at again, ${product?.rounds} rounds, ${product?.duration_ms} ms`,
      );
      expect(product).toMatchObject({ aggregate: 'product', state: 'clean', differences: 0 });
      expect(category).toMatchObject({ aggregate: 'category', state: 'clean', differences: 0 });
      expect(result.err).toBe('');
      expect(result.code).toBe(0);
    }
    expect(load.count).toBeGreaterThan(before);
  });

  /** `verify product --every 1s` until `check` gives something. */
  async function everySecond<Seen>(
    changed: Record<string, string>,
    check: (seen: { out: string; get: (path: string) => Promise<Response> }) => Promise<Seen>,
  ): Promise<{ seen: Seen; err: string; code: number }> {
    const stop = new AbortController();
    let out = '';
    let err = '';
    const ended = runCli(
      {
        argv: ['verify', 'product', '--every', '1s', '--metrics-port', '0', '--json'],
        env: { ...env(), ...changed },
        out: { write: (text) => ((out += text), true) },
        err: { write: (text) => ((err += text), true) },
        signal: stop.signal,
        version: '0',
      },
      verbs,
    );
    const get = (path: string) => fetch(`${/metrics on (\S+)\/metrics/.exec(err)?.[1]}${path}`);
    try {
      const seen = await eventually(() => check({ out, get }), { timeoutMs: 60_000 });
      return { seen: seen as Seen, err, code: (stop.abort(), await ended) };
    } finally {
      stop.abort();
    }
  }

  it('runs for ever with --every, exports what it knows, and ends with the signal', async () => {
    const { seen, code } = await everySecond({}, async ({ out, get }) => {
      if (out.split('\n').length < 3) return undefined;
      return {
        metrics: await (await get('/metrics')).text(),
        ready: (await get('/readyz')).status,
      };
    });
    expect(seen?.metrics).toMatch(
      /outbound_verify_differences\{aggregate="product",kind="missing"\} 0/,
    );
    expect(seen?.metrics).toMatch(/outbound_verify_entities\{aggregate="product"\} \d\d/);
    expect(seen?.metrics).toMatch(
      /outbound_verify_last_run_timestamp_seconds\{aggregate="product"\} \d{10}/,
    );
    expect(seen?.metrics).toMatch(/outbound_verify_failures_total 0/);
    expect(seen?.ready).toBe(200);
    expect(code).toBe(0);
  });

  it('finds each planted damage with its kind and id and nothing else, repairs it, and is clean again', async () => {
    const [missing = '', altered = '', stale = '', unreadable = ''] = quiet.filter(
      (_, n) => n % 2 === 0,
    );
    const deleted = quiet.at(-1) ?? '';
    const ghost = uuidv7();
    await pipeline.caughtUp();
    await append(missing, null);
    await append(altered, (await valueOf(altered)).replace('"name":"', '"name":"not '));
    await append(stale, await valueOf(stale, 1));
    await append(unreadable, '{"data":{"id":');
    await append(deleted, await valueOf(deleted));
    await append(ghost, (await valueOf(missing)).replaceAll(missing, ghost));

    const text = await verify('product');
    console.log(`$ outbound verify product\n${text.out}(exit code ${text.code})`);
    const found = await verify('product', '--json');
    expect(answers(found)[0]).toMatchObject({ state: 'differs', differences: 6 });
    expect(answers(found)[0]?.ids).toEqual({
      missing: [missing],
      altered: [altered],
      stale: [stale],
      unreadable: [unreadable],
      undeleted: [deleted],
      ghost: [ghost],
    });
    expect(found.code).toBe(3);

    const asked = await verify('product', '--repair');
    expect(asked.code).toBe(4);
    expect(asked.err).toContain('NOT_CONFIRMED');

    const repaired = await verify('product', '--repair', '--yes');
    console.log(
      `$ outbound verify product --repair --yes\n${repaired.out}${repaired.err}(exit code ${repaired.code})`,
    );
    expect(repaired.out).toContain(
      'product: emitted 4 S events, 1 D events of deleted rows, 1 D events of keys without a row',
    );
    expect(repaired.code).toBe(0);
    const { rows } = await pipeline.sql.query<{ verb: string; outcome: string }>(
      `select verb, outcome, parameters->>'differences' as differences from operation`,
    );
    expect(rows).toEqual([{ verb: 'verify', outcome: 'done', differences: '6' }]);
    expect((await verify('--json')).code).toBe(0);
  });

  it('shows what no event can put right, leaves it alone, and is clean after what the manual says', async () => {
    const [ahead = '', misplaced = ''] = quiet.filter((_, n) => n % 2 === 1);
    await pipeline.caughtUp();
    const value = await valueOf(ahead);
    await append(ahead, value.replace(/"version":1,"created/, '"version":7,"created'));
    const elsewhere = (partitionOf(misplaced, partitions) + 1) % partitions;
    await append(misplaced, await valueOf(misplaced), elsewhere);
    await append('a stranger', '{}');
    const run = await verify('product', '--repair', '--yes', '--json');
    expect(run.err).toContain('2 of kind ahead or misplaced cannot be put right by an event');
    const ids = {
      ahead: [ahead],
      misplaced: [`${elsewhere}/${misplaced}`],
      unreadable: ['a stranger'],
    };
    expect(answers(run)[0]?.ids).toEqual(ids);
    expect(answers(run).at(-1)?.ids).toEqual(ids);
    expect(run.code).toBe(3);

    // The remedies of docs/verify.md.
    await pipeline.sql.query(`
      begin; alter table product disable trigger product_next_version;
      update product set version = 8 where id = '${ahead}';
      alter table product enable trigger product_next_version; commit`);
    tombstone(misplaced, '-p', String(elsewhere));
    tombstone('a stranger', '-X', 'partitioner=murmur2');
    const after = await verify('product', '--repair', '--yes', '--json');
    expect(answers(after)[0]?.ids).toEqual({ stale: [ahead] });
    expect(answers(after).at(-1)).toMatchObject({ state: 'clean' });
    expect(after.code).toBe(0);
  });

  it('does not call damaged what the relay has not delivered yet, says how far it is behind, and never calls it clean', async () => {
    await relay.terminate();
    const run = await verify('product', '--wait', '1s', '--json');
    const [answer] = answers(run);
    expect(answer).toMatchObject({ state: 'undecided', differences: 0, ids: {} });
    expect(answer?.undecided).toBeGreaterThan(0);
    expect(answer?.behind_bytes).toBeGreaterThan(0);
    expect(answer?.undecided_why).toContain('none is connected to the slot');
    expect(run.code).toBe(3);

    // A crash of the server may make the relay publish older events again, so a verdict across it would be worth nothing.
    // Only while it waits: a connection that asked before, how the slot is, may be replaced without harm.
    const waiting = verify('product', '--wait', '1h');
    await eventually(
      async () =>
        (
          await pipeline.sql.query<{ pid: number }>(
            `select pg_terminate_backend(pid) from pg_stat_activity
             where application_name = 'outbound-cli' and query like 'select confirmed_flush_lsn >= %'`,
          )
        ).rowCount,
      { timeoutMs: 60_000 },
    );
    const interrupted = await waiting;
    expect([interrupted.code, interrupted.err]).toEqual([
      5,
      expect.stringContaining('DATABASE_UNAVAILABLE'),
    ]);
    expect(interrupted.out).toBe('');

    relay = await pipeline.startRelay();
    expect((await verify('product', '--json')).code).toBe(0);
  });

  it('decides on an idle database as well, where nothing but its own watermark moves the slot', async () => {
    await load.stop();
    await pipeline.caughtUp();
    const [id = ''] = quiet;
    await append(id, null);
    const [answer] = answers(await verify('product', '--json'));
    console.log(`verify on an idle database: ${answer?.rounds} rounds, ${answer?.duration_ms} ms`);
    expect(answer).toMatchObject({ state: 'differs', undecided: 0, ids: { missing: [id] } });
    expect((await verify('product', '--repair', '--yes')).code).toBe(0);
  });

  it('ends with exit code 5 where Postgres or Kafka cannot be reached, and with 2 where there is no such topic; with --every it counts such runs and goes on', async () => {
    const run = (changed: Record<string, string>) =>
      outbound(['verify', 'product'], { env: { ...env(), ...changed } });
    const nowhere = '127.0.0.1:1';
    const unreachable = { OUTBOUND_KAFKA_BROKERS: nowhere };
    const [kafka, everyRun] = await Promise.all([
      run(unreachable),
      everySecond(unreachable, async ({ get }) => {
        const metrics = await (await get('/metrics')).text();
        return /failures_total [1-9]/.test(metrics)
          ? { metrics, ready: (await get('/readyz')).status }
          : undefined;
      }),
    ]);
    expect(everyRun.seen?.metrics).not.toMatch(/^outbound_verify_differences\{/m);
    expect(everyRun.seen?.ready).toBe(503);
    expect(everyRun.err).toContain('no verdict: ');
    expect(everyRun.code).toBe(0);
    expect([kafka.code, kafka.err]).toEqual([5, expect.stringContaining('KAFKA_UNAVAILABLE')]);
    const postgres = await run({ OUTBOUND_DATABASE_URL: `postgres://a:b@${nowhere}/x` });
    expect([postgres.code, postgres.err]).toEqual([
      5,
      expect.stringContaining('DATABASE_UNAVAILABLE'),
    ]);
    const topic = await run({ OUTBOUND_TOPIC_PREFIX: 'nothing.' });
    expect([topic.code, topic.err]).toEqual([2, expect.stringContaining('TOPIC_MISSING')]);
    const [id = ''] = quiet;
    await append(id, null);
    const slot = await run({ OUTBOUND_SLOT: 'nothing' });
    expect([slot.code, slot.out]).toEqual([
      3,
      expect.stringContaining('no replication slot "nothing"'),
    ]);
  });
});

/** Four callers that create, rename and delete products of their own without a pause, and a fifth for categories. */
class ApiLoad {
  #isStopped = false;
  #count = 0;
  readonly #callers: Promise<void>[];

  constructor(url: string) {
    this.#callers = [
      ...Array.from({ length: 4 }, () => this.#call(url, 'products')),
      this.#call(url, 'categories'),
    ];
  }

  get count(): number {
    return this.#count;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#callers);
  }

  async #call(url: string, plural: 'products' | 'categories'): Promise<void> {
    while (!this.#isStopped) {
      const id = await create(url, plural, this.#count);
      for (let change = 0; change < 4 && !this.#isStopped; change += 1)
        await rename(url, id, plural);
      if (this.#count % 3 === 0) await remove(url, id, plural);
      this.#count += 5;
    }
  }
}

const names = () => `n-${uuidv7()}`;

async function create(url: string, plural: string, n: number): Promise<string> {
  const body =
    plural === 'products'
      ? `{"sku":"${names()}","name":"${names()}","price":{"amount":${n}.50,"currency":"EUR"},"attributes":{"n":12345678901234567890,"${n}":[1.0,{"é":null}]},"status":"ACTIVE"}`
      : `{"code":"${names()}","name":"${names()}"}`;
  const response = await fetch(`${url}/${plural}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
  return (response.headers.get('location') ?? '').split('/').at(-1) ?? '';
}

async function rename(url: string, id: string, plural = 'products'): Promise<void> {
  const response = await fetch(`${url}/${plural}/${id}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json', 'if-match': '*' },
    body: `{"name":"${names()}"}`,
  });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
}

async function remove(url: string, id: string, plural = 'products'): Promise<void> {
  const response = await fetch(`${url}/${plural}/${id}`, {
    method: 'DELETE',
    headers: { 'if-match': '*' },
  });
  if (response.status !== 204) throw new Error(`${response.status}: ${await response.text()}`);
}
