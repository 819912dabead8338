import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from '../../../../test/support/entity-writer.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { runSeed, seededRandom } from '../../../../test/support/random.ts';
import { TestPipeline } from '../../../../test/support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../../../../test/support/test-stack.ts';
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
});
