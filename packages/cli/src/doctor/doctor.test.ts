import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { declaredTopic, planTopics, stateRoute } from '@outbound/contract';
import { afterEach, describe, expect, test } from 'vitest';
import { outbound } from '../test-support/outbound.ts';
import { advertisedBrokers, splitAddress } from './advertised-brokers.ts';
import { judgeHistory, judgeHttp } from './doctor-verb.ts';
import { judgeAdvertised, judgeBootstrap, judgeTopics } from './kafka-checks.ts';
import { judgeJava, judgeNode, judgePorts } from './machine-checks.ts';
import { judgeMigrations, migrationFiles } from './migration-checks.ts';

test('migrations are compared with their files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'outbound-migrations-'));
  try {
    await writeFile(join(folder, '0001_a.sql'), 'a');
    await writeFile(join(folder, '0002_b.sql'), 'b');
    const files = migrationFiles(folder);
    const [a, b] = files ?? [];
    if (!a || !b) throw new Error('no files');
    expect(judgeMigrations(files, [a, b])).toMatchObject({ level: 'ok', says: 'all 2 were run' });
    expect(judgeMigrations(files, [a])).toMatchObject({
      level: 'fault',
      says: 'not run yet: 0002_b.sql',
    });
    expect(judgeMigrations(files, [a, { ...b, checksum: 'x' }])).toMatchObject({
      level: 'fault',
      says: '0002_b.sql differ from what was run',
    });
    expect(judgeMigrations([a], [a, b])).toMatchObject({ level: 'warning' });
    expect(judgeMigrations(undefined, [a])).toMatchObject({ level: 'unknown' });
    expect(judgeMigrations(files, undefined)).toMatchObject({ level: 'fault' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe('Kafka', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** A broker that answers the metadata request with one broker at this host and port, and ends. */
  async function fakeBroker(host: string, port?: number): Promise<string> {
    const started = (server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        const name = Buffer.from(host);
        const answer = Buffer.alloc(4 + 4 + 4 + 4 + 4 + 2 + name.length + 4 + 2);
        let at = answer.writeInt32BE(answer.length - 4, 0) + 8;
        at = answer.writeInt32BE(1, at);
        at = answer.writeInt32BE(7, at);
        at = answer.writeInt16BE(name.length, at);
        at += name.copy(answer, at);
        at = answer.writeInt32BE(port ?? (started.address() as AddressInfo).port, at);
        answer.writeInt16BE(-1, at);
        // In two pieces, as a network may.
        socket.write(answer.subarray(0, 10));
        setImmediate(() => socket.end(answer.subarray(10)));
      });
    }));
    await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(started.address() as AddressInfo).port}`;
  }

  test('is asked for the addresses that it gives to its clients', async () => {
    const address = await fakeBroker('kafka-1.internal', 9092);
    expect(await advertisedBrokers(address, { tls: undefined })).toEqual([
      { id: 7, host: 'kafka-1.internal', port: 9092 },
    ]);
  });

  test('that answers and sends its clients nowhere is the classic fault, with its cure', async () => {
    // .invalid never resolves (RFC 2606).
    const address = await fakeBroker('kafka.invalid', 9092);
    const { code, json } = await outbound(['doctor', '--json', '--brokers', address], {});
    expect(code).toBe(3);
    const [{ findings }] = json() as [{ findings: { check: string }[] }];
    expect(findings).toContainEqual({
      check: 'kafka',
      level: 'ok',
      says: `answers at ${address}`,
    });
    expect(findings.find(({ check }) => check === 'advertised listeners')).toEqual({
      check: 'advertised listeners',
      level: 'fault',
      says: expect.stringMatching(
        /Kafka sends its clients to kafka\.invalid:9092 \(broker 7\) \((ENOTFOUND|EAI_AGAIN)\)/,
      ) as unknown,
      fix: expect.stringContaining('advertised.listeners') as unknown,
    });
  });

  test('addresses may be of IPv6', () => {
    expect(splitAddress('[::1]:9092')).toEqual({ host: '::1', port: 9092 });
  });

  test('one silent broker of several is a warning, all of them a fault', () => {
    const [up, down] = [
      { address: 'a:1', why: undefined },
      { address: 'b:1', why: 'ECONNREFUSED' },
    ];
    expect(judgeBootstrap([up]).level).toBe('ok');
    expect(judgeBootstrap([up, down])).toMatchObject({
      level: 'warning',
      says: 'not all named brokers answer: b:1 (ECONNREFUSED)',
    });
    expect(judgeBootstrap([down]).level).toBe('fault');
    expect(judgeAdvertised([up]).level).toBe('ok');
  });

  test('topics are compared with their declarations, as the relay does it', () => {
    const declared = ['a.a', 'a.b', 'a.c'].map((topic) =>
      declaredTopic(stateRoute(topic, { partitions: 6, retentionMs: 1 })),
    );
    const plan = planTopics(
      declared,
      declared.slice(1).map(({ topic, configs }, index) => ({
        topic,
        partitions: index === 0 ? 5 : 6,
        replicationFactor: 3,
        configs: { ...configs, 'min.insync.replicas': '1' },
      })),
      3,
    );
    expect(judgeTopics(declared, plan, 3)).toMatchObject([
      { check: 'topic a.a', level: 'fault', says: 'does not exist' },
      {
        check: 'topic a.b',
        level: 'fault',
        says: 'partitions is 5, declared 6; min.insync.replicas is 1, declared 2',
      },
      { check: 'topic a.c', level: 'warning' },
    ]);
    expect(judgeTopics([], { create: [], drift: [] }, 1)).toMatchObject([
      { check: 'brokers', level: 'warning' },
    ]);
  });
});

describe('the machine', () => {
  test('has versions that are judged, and nothing of it is a fault', () => {
    expect(judgeNode('20.19.0').level).toBe('ok');
    expect(judgeNode('24.1.0').level).toBe('ok');
    expect(judgeNode('20.18.3').level).toBe('warning');
    expect(judgeJava('openjdk version "17.0.15" 2025-04-15')).toMatchObject({ says: 'Java 17' });
    expect(judgeJava('java version "1.8.0_392"')).toMatchObject({
      level: 'warning',
      says: 'Java 8 is too old',
    });
    expect(judgeJava(undefined).level).toBe('warning');
    expect(judgePorts([]).level).toBe('ok');
    expect(judgePorts([['Kafka', 9092]])).toMatchObject({
      says: 'something listens on 9092 (Kafka)',
    });
  });

  test('a service that is not ready says why at the same address', () => {
    expect(judgeHttp('relay', 'http://r/readyz', 200, 'X').level).toBe('ok');
    expect(judgeHttp('relay', 'http://r/readyz', 503, 'X').fix).toBe(
      'read its answer there: curl http://r/readyz',
    );
    expect(judgeHttp('relay', 'http://r/readyz', 404, 'X').fix).toBe('correct X');
    expect(judgeHistory(null)).toEqual([]);
    expect(judgeHistory(0)).toEqual([]);
    expect(judgeHistory(3)).toMatchObject([{ level: 'warning', check: 'history' }]);
  });
});

test('without settings nothing is called good that was not looked at', async () => {
  const { code, json } = await outbound(['doctor', '--json']);
  expect(code).toBe(0);
  const [{ unknown, findings }] = json() as [{ unknown: number; findings: unknown[] }];
  expect(unknown).toBe(4);
  expect(findings).toContainEqual({
    check: 'postgres',
    level: 'unknown',
    says: 'not looked at',
    fix: 'set OUTBOUND_DATABASE_URL',
  });
});

test('a server that is not there is a fault with its cure, and its password is not shown', async () => {
  const { code, out } = await outbound([
    'doctor',
    '--database-url',
    'postgres://me:hidden@127.0.0.1:1/catalog',
    '--api-url',
    'http://127.0.0.1:2',
  ]);
  expect(code).toBe(3);
  expect(out).toMatch(/FAULT +postgres: the database does not answer .*ECONNREFUSED/);
  expect(out).toMatch(
    /FAULT +api: does not answer at http:\/\/127\.0\.0\.1:2\/openapi\.json\n +→ start it/,
  );
  expect(out).not.toContain('hidden');
});
