import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { schemaIdPrefix } from '@outbound/contract';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from '../../../../test/support/entity-writer.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { runSeed, seededRandom } from '../../../../test/support/random.ts';
import { TestPipeline } from '../../../../test/support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../../../../test/support/test-stack.ts';
import { append, newTopic, plainClient } from '../kafka/test-support/kafka-topics.ts';
import { outbound } from '../test-support/outbound.ts';

let stack: TestStack;
let folder: string;
beforeAll(async () => {
  [stack, folder] = await Promise.all([
    startTestStack(),
    mkdtemp(join(tmpdir(), 'outbound-rebuild-')),
  ]);
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('outbound rebuild', () => {
  it('makes the state of the database while writers run, over kills of the rebuilder', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await pipeline.startRelay();
    const env = {
      OUTBOUND_DATABASE_URL: pipeline.databaseUrl,
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    };
    const argv = ['rebuild', 'catalog.product', '--into', 'postgres', '--table', 'copy'];
    const random = seededRandom(runSeed('rebuild'));
    const isWriting = new AbortController();
    const client = await pipeline.connect();
    const writer = new EntityWriter(client);
    const writing = (async () => {
      while (!isWriting.signal.aborted)
        await writer.write(`entity-${Math.floor(random() * 60)}`, random() < 0.2 ? 'D' : 'U');
    })();
    const done = async () => {
      const { rows } = await pipeline.sql.query<{ n: string }>(
        'select coalesce(sum(next_offset), 0)::text as n from copy_position',
      );
      return Number(rows[0]?.n);
    };
    // Three rebuilders one after the other, each killed where it happens to be.
    let reached = 0;
    for (let run = 0; run < 3; run++) {
      const rebuilder = spawn(
        process.execPath,
        ['packages/cli/dist/main.js', ...argv, '--follow', '--json'],
        { env, stdio: ['ignore', 'ignore', 'inherit'] },
      );
      const ended = once(rebuilder, 'exit');
      await eventually(async () => (await done()) > reached + 200, { timeoutMs: 60_000 });
      rebuilder.kill('SIGKILL');
      await ended;
      reached = await done();
    }
    isWriting.abort();
    await writing;
    await client.end();
    await pipeline.caughtUp();

    const last = await outbound([...argv, '--json'], { env });
    expect(last.err).toBe('');
    expect(last.code).toBe(0);
    expect(last.json()).toMatchObject([{ event: 'caught-up', began: 'positions' }]);
    const differences = await pipeline.sql.query(
      `select e.id, e.version, e.is_deleted, c.key, c.version as copied
       from (select * from entity where not is_deleted) e full join copy c on c.key = e.id
       where e.id is null or c.key is null or e.version <> c.version or (c.value->'data'->>'version')::bigint <> e.version`,
    );
    expect(differences.rows).toEqual([]);
    const { rows } = await pipeline.sql.query<{ n: string }>('select count(*) as n from copy');
    expect(Number(rows[0]?.n)).toBeGreaterThan(20);

    const file = join(folder, 'state.ndjson');
    const snapshot = await outbound(
      ['rebuild', 'catalog.product', '--into', 'file', '--file', file],
      { env },
    );
    expect(snapshot.code).toBe(0);
    expect(snapshot.out).toContain('caught up after');
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(1 + Number(rows[0]?.n));

    const again = await outbound([...argv, '--restart'], { env });
    expect(again).toMatchObject({ code: 4, out: '' });
    expect(again.err).toContain('all of it will be removed');
    expect(await outbound([...argv, '--restart', '--yes', '--json'], { env })).toMatchObject({
      code: 0,
      out: expect.stringContaining('"began":"beginning","why":"empty"') as string,
    });
  });

  it('refuses what makes no sense, with exit code 2', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const env = {
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    };
    const refused = async (...argv: string[]) => {
      const { code, err } = await outbound(['rebuild', ...argv], { env });
      expect(code).toBe(2);
      return err;
    };
    expect(await refused('catalog.product-change', '--into', 'memory')).toContain(
      `rebuild from ${pipeline.topic('catalog.product')}`,
    );
    expect(await refused('nowhere', '--into', 'memory')).toContain('TOPIC_MISSING');
    expect(await refused('catalog.product', '--into', 'postgres')).toContain('needs --table');
    expect(await refused('catalog.product', '--into', 'memory', '--file', 'x')).toContain(
      'goes with --into file',
    );
    expect(await refused('catalog.product', '--into', 'redis')).toContain('memory, postgres, file');
    expect(await refused('catalog.product')).toContain('--into');
  });

  it('touches no table and no file that a rebuild has not made, and says which', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const env = {
      OUTBOUND_DATABASE_URL: pipeline.databaseUrl,
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    };
    await pipeline.sql.query(
      `create table theirs (key text primary key, version bigint, value json not null);
       insert into theirs select 'k' || n, n, '{}' from generate_series(1, 1000) n`,
    );
    const intoTable = ['rebuild', 'catalog.product', '--into', 'postgres', '--table', 'theirs'];
    for (const more of [[], ['--restart', '--yes'], ['--follow']]) {
      const { code, err } = await outbound([...intoTable, ...more], { env });
      expect(code).toBe(2);
      expect(err).toContain('STORE_UNUSABLE: public.theirs was not made by a rebuild');
    }
    const { rows } = await pipeline.sql.query<{ n: string; tables: string }>(
      `select count(*) as n, (select count(*) from pg_class where relname like 'theirs_pos%') as tables from theirs`,
    );
    expect(rows).toEqual([{ n: '1000', tables: '0' }]);

    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    for (const [path, what] of [
      [pipe, 'a pipe'],
      ['/dev/zero', 'a device'],
      [folder, 'a folder'],
    ] as const) {
      const { code, err } = await outbound(
        ['rebuild', 'catalog.product', '--into', 'file', '--file', path, '--restart', '--yes'],
        { env },
      );
      expect(code).toBe(2);
      expect(err).toContain(`STORE_UNUSABLE: ${path} is ${what}`);
    }
  });

  it('goes on in the same topic only: one that was made again is read from its beginning, and it says so', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const env = {
      OUTBOUND_DATABASE_URL: pipeline.databaseUrl,
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
    };
    const configs = { 'cleanup.policy': 'compact' };
    const topic = await newTopic(stack.kafka, { partitions: 2, configs });
    const states = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, n) => ({ key: `${prefix}${n}`, value: `{"n":${n}}` }));
    await append(stack.kafka, topic, states('old', 20));
    const argv = ['rebuild', topic, '--into', 'postgres', '--table', 'again', '--json'];
    expect((await outbound(argv, { env })).json()).toMatchObject([
      { began: 'beginning', why: 'empty' },
    ]);
    expect((await outbound(argv, { env })).json()).toMatchObject([
      { began: 'positions', why: null },
    ]);
    const admin = plainClient(stack.kafka).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    const topics = [
      { topic, numPartitions: 2, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] },
    ];
    await eventually(() =>
      admin.createTopics({ waitForLeaders: false, topics }).catch(() => false),
    );
    await eventually(async () => {
      const { topics: made } = await admin.fetchTopicMetadata({ topics: [topic] });
      return made[0]?.partitions.every(({ leader }) => leader >= 0);
    });
    await admin.disconnect();
    await append(stack.kafka, topic, states('new', 60));
    expect((await outbound(argv, { env })).json()).toMatchObject([
      { began: 'beginning', why: 'topic-made-again' },
    ]);
    const { rows } = await pipeline.sql.query<{ n: string }>(
      `select count(*) as n from again where key like 'new%'`,
    );
    expect(rows).toEqual([{ n: '60' }]);
  });

  it('goes on when its table has lost its last steps, and is complete only when it has caught up again', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const env = {
      OUTBOUND_DATABASE_URL: pipeline.databaseUrl,
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
    };
    const topic = await newTopic(stack.kafka, { configs: { 'cleanup.policy': 'compact' } });
    await append(stack.kafka, topic, [
      { key: 'a', value: '1' },
      { key: 'b', value: '1' },
    ]);
    // As a backup from before the last record leaves it.
    const goBack = async (key: string) => {
      await pipeline.sql.query(
        `begin; delete from lost; update lost_position set next_offset = 0; commit`,
      );
      await append(stack.kafka, topic, [{ key, value: '1' }]);
    };
    const isOver = new AbortController();
    let caughtUp = 0;
    let stopAtNextBeginning = false;
    const following = outbound(
      ['rebuild', topic, '--into', 'postgres', '--table', 'lost', '--follow', '--json'],
      {
        env,
        signal: isOver.signal,
        onAnswer: () => (caughtUp += 1),
        onNote: (text) => {
          if (stopAtNextBeginning && text.includes(`${topic}: reading went on`)) isOver.abort();
        },
      },
    );
    await eventually(() => caughtUp === 1);
    await goBack('c');
    await eventually(() => caughtUp === 2);
    const { rows } = await pipeline.sql.query<{ key: string }>('select key from lost order by 1');
    expect(rows.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    stopAtNextBeginning = true;
    await goBack('d');
    const { code, err } = await following;
    expect(err).toContain('public.lost is behind what was written into it (0: 0, we wrote 3)');
    expect({ code, caughtUp }).toEqual({ code: 130, caughtUp: 2 });
  });

  it('says of a value that is not JSON where it is, and of a database that is gone that it is gone', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const env = {
      OUTBOUND_DATABASE_URL: pipeline.databaseUrl,
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
    };
    const topic = await newTopic(stack.kafka, { configs: { 'cleanup.policy': 'compact' } });
    const named = Buffer.concat([schemaIdPrefix(3), Buffer.from('{"data":{"version":1}}')]);
    await append(stack.kafka, topic, [{ key: 'a', value: named }]);
    const file = join(folder, 'named.ndjson');
    const targets = [
      ['--into', 'file', '--file', file],
      ['--into', 'postgres', '--table', 'named'],
    ];
    for (const target of targets)
      for (let run = 0; run < 2; run += 1)
        expect(await outbound(['rebuild', topic, ...target], { env })).toMatchObject({ code: 0 });
    expect((await readFile(file, 'utf8')).split('\n')[1]).toBe(
      '{"key":"a","version":1,"value":{"data":{"version":1}}}',
    );
    await append(stack.kafka, topic, [{ key: 'b', value: 'no JSON' }]);
    for (const target of targets) {
      const { code, err } = await outbound(['rebuild', topic, ...target], { env });
      expect(code).toBe(1);
      expect(err).toContain(`STATE_UNREADABLE: the value of ${topic}/0 offset 1 is not JSON`);
      expect(err).not.toMatch(/Postgres|Kafka/);
    }
    const good = await newTopic(stack.kafka, { configs: { 'cleanup.policy': 'compact' } });
    await pipeline.sql.query('create database away');
    const databaseUrl = new URL(pipeline.databaseUrl);
    databaseUrl.pathname = '/away';
    const following = outbound(
      ['rebuild', good, '--into', 'postgres', '--table', 'gone', '--follow'],
      { env: { ...env, OUTBOUND_DATABASE_URL: databaseUrl.href } },
    );
    const away = new pg.Client(databaseUrl.href);
    await away.connect();
    await eventually(
      async () =>
        (await away.query<{ made: unknown }>(`select to_regclass('gone') as made`)).rows[0]?.made,
    );
    await away.end();
    await pipeline.sql.query('alter database away allow_connections false');
    await pipeline.sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = 'away'`,
    );
    await append(stack.kafka, good, [{ key: 'a', value: '1' }]);
    const ended = await following;
    expect(ended.code).toBe(5);
    expect(ended.err).toContain('STORE_UNAVAILABLE');
  });
});
