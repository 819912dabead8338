import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
// A client that is not ours, to prove that the brokers are usable.

import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pollUntil } from '../poll-until.ts';
import { startKafka, startPostgres, startStack, type KafkaCluster, type Stack } from '../index.ts';

const form = 'containers';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<pg.QueryResultRow>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function produce(brokers: string[], topic: string, value: string): Promise<void> {
  const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ key: 'k', value }] });
  await producer.disconnect();
}

async function consume(kafka: KafkaCluster, topic: string, count: number): Promise<string[]> {
  const { stdout } = await kafka.tool('console-consumer', [
    '--topic',
    topic,
    '--from-beginning',
    '--max-messages',
    String(count),
  ]);
  return stdout.trim().split('\n');
}

async function docker(...args: string[]): Promise<string> {
  return (await promisify(execFile)('docker', args)).stdout;
}

describe('a stack of containers', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ form, postgres: { settings: { wal_sender_timeout: '3s' } } });
  });
  afterAll(async () => stack.stop());

  it('has a Postgres 18 that is ready for logical decoding', async () => {
    expect(stack).toMatchObject({ form, postgres: { form, major: 18 }, kafka: { form } });
    const rows = await query(
      stack.postgres.url,
      `select current_setting('server_version_num')::int / 10000 as version, current_setting('wal_level') as wal,
              current_setting('wal_sender_timeout') as timeout`,
    );
    expect(rows).toEqual([{ version: 18, wal: 'logical', timeout: '3s' }]);
  });

  it('keeps what was committed over a stop and over a kill, on the same port', async () => {
    const { postgres } = stack;
    const url = await postgres.createDatabase('kept');
    await query(url, 'create table t as select 1 as n');
    expect((await postgres.stop()).durationMs).toBeGreaterThan(0);
    await postgres.start();
    await query(url, 'insert into t values (2)');
    await postgres.kill();
    await postgres.start();
    expect(await query(url, 'select n from t order by n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('is silent while paused and goes on when resumed', async () => {
    const { postgres } = stack;
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    await postgres.pause();
    const answer = client.query('select 1 as one');
    expect(await docker('ps', '--filter', 'status=paused', '--format', '{{.Image}}')).toContain(
      'postgres:18',
    );
    await postgres.resume();
    expect((await answer).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  it('takes records and keeps them over a controlled stop and over a kill', async () => {
    const { kafka } = stack;
    const created = await kafka.tool('topics', ['--create', '--topic', 'kept']);
    expect(created).toMatchObject({ code: 0, stdout: 'Created topic kept.\n' });
    await produce(kafka.bootstrap, 'kept', 'one');
    await kafka.broker(1).stop();
    await kafka.broker(1).start();
    await kafka.tool('console-producer', ['--topic', 'kept'], { input: 'two\n' });
    await kafka.broker(1).kill();
    await kafka.broker(1).start();
    await produce(kafka.bootstrap, 'kept', 'three');
    expect(await consume(kafka, 'kept', 3)).toEqual(['one', 'two', 'three']);
  });

  it('says what it cannot tell and which form can', () => {
    expect(() => stack.postgres.pid).toThrow('use the form processes');
    expect(() => stack.kafka.broker(1).logFile).toThrow('use the form processes');
  });

  it('says which tool failed by its exit code', async () => {
    const { code } = await stack.kafka.tool('topics', ['--describe', '--topic', 'missing']);
    expect(code).not.toBe(0);
  });
});

describe('containers', () => {
  it('make a Kafka of three that replicates', async () => {
    await using kafka = await startKafka({ form, brokers: 3 });
    await kafka.tool('topics', ['--create', '--topic', 'three']);
    const { stdout } = await kafka.tool('topics', ['--describe', '--topic', 'three']);
    expect(stdout).toContain('ReplicationFactor: 3');
    await kafka.broker(3).kill();
    await produce(kafka.bootstrap, 'three', 'one');
    await kafka.broker(3).start();
    expect(await consume(kafka, 'three', 1)).toEqual(['one']);
  });

  it('send clients through the endpoint that Kafka is told to advertise, and others past it', async () => {
    await using kafka = await startKafka({
      form,
      advertise: async ({ port }) => Promise.resolve({ host: '127.0.0.1', port }),
    });
    const admin = new Kafka({ brokers: kafka.directBootstrap, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const direct = (await admin.describeCluster()).brokers[0];
    await admin.disconnect();
    expect(kafka.directBootstrap).toEqual([`${direct?.host}:${direct?.port}`]);
    expect(kafka.bootstrap[0]).toMatch(/^127\.0\.0\.1:/);
    expect(kafka.bootstrap).not.toEqual(kafka.directBootstrap);
  });

  it('keep the data of a named folder in a volume', async () => {
    const dataDir = `/nowhere/${Date.now()}-${process.pid}`;
    const volumes = (await docker('volume', 'ls', '-q')).split('\n');
    try {
      const first = await startPostgres({ form, dataDir });
      await query(first.url, 'create table t as select 42 as n');
      await first.close();
      await using second = await startPostgres({ form, dataDir });
      expect(await query(second.url, 'select n from t')).toEqual([{ n: 42 }]);
    } finally {
      const made = (await docker('volume', 'ls', '-q', '--filter', 'name=outbound-postgres-18-'))
        .split('\n')
        .filter((name) => name !== '' && !volumes.includes(name));
      expect(made).toHaveLength(1);
      await docker('volume', 'rm', ...made);
    }
  });

  it('end, and leave nothing, when their parent is killed', async () => {
    const program = fileURLToPath(new URL('../../test-programs/hold-stack.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', program, 'stay'], {
      env: { ...process.env, OUTBOUND_STACK: form },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let report: unknown;
    for await (const line of createInterface(child.stdout)) {
      report = JSON.parse(line);
      break;
    }
    const { ports } = z.object({ ports: z.array(z.number()).length(2) }).parse(report);
    const running = async (): Promise<string[]> =>
      (
        await Promise.all(
          ports.map(async (port) => docker('ps', '-aq', '--filter', `publish=${port}`)),
        )
      )
        .join('')
        .split('\n')
        .filter(Boolean);
    const containers = await running();
    expect(containers).toHaveLength(2);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await pollUntil(async () => (await running()).length === 0, {
      what: 'the end of the containers',
      timeoutMs: 30_000,
    });
  });

  it('show the end of the log when a server does not start', async () => {
    await expect(startPostgres({ form, settings: { wal_level: 'nonsense' } })).rejects.toThrow(
      /Postgres 18 .* ended while it started.*invalid value for parameter "wal_level"/s,
    );
  });
});
