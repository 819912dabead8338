import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresMajor } from '@outbound/local-stack';
import { EntityWriter } from './support/entity-writer.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

describe.each<PostgresMajor>([15, 18])('what is committed on Postgres %i', (major) => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({
      postgres: { major, settings: { max_prepared_transactions: '10' } },
    });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('is in every topic of its event type, each event once, whether it came before the relay, while it ran, or while it was away', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const writer = new EntityWriter(pipeline.sql);
    // The slot begins with the first relay: what was committed before is not its to deliver.
    const first = await pipeline.startRelay();
    for (let n = 0; n < 300; n += 1) await writer.write(`entity-${n % 30}`, n < 30 ? 'C' : 'U');
    // Or the server may not have sent it all when the relay is told to stop.
    await pipeline.caughtUp();
    expect((await first.terminate()).code).toBe(0);
    for (let n = 0; n < 300; n += 1)
      await writer.write(`entity-${n % 40}`, n % 7 === 0 ? 'D' : 'U');
    const second = await pipeline.startRelay();
    for (let n = 0; n < 300; n += 1)
      await writer.write(`entity-${n % 50}`, n % 11 === 0 ? 'S' : 'U', n * 10);
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ committed: 900, records: 1800, duplicates: 0 });
    expect(await second.metric('relay_records_published_total')).toBe(1200);
  });

  it('keeps its place when long and short transactions interleave, and commit in another order than they began', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay();
    const long = await pipeline.connect();
    const longWriter = new EntityWriter(long);
    const writer = new EntityWriter(pipeline.sql);
    await long.query('begin');
    await longWriter.write('long-1', 'C');
    for (let n = 0; n < 50; n += 1) await writer.write(`short-${n % 5}`);
    await longWriter.write('long-2', 'C');
    await pipeline.caughtUp();
    // The relay goes and comes while the long transaction is open: its rows lie before what was acknowledged.
    await relay.terminate();
    await pipeline.startRelay();
    for (let n = 0; n < 50; n += 1) await writer.write(`short-${n % 5}`);
    await longWriter.write('long-1', 'U');
    await long.query('commit');
    await long.end();
    for (let n = 0; n < 50; n += 1) await writer.write(`short-${n % 5}`);
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ committed: 153, records: 306, duplicates: 0 });
  });

  it('never is what was rolled back, as a whole, to a savepoint, or by a deadlock', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await pipeline.startRelay();
    const { sql } = pipeline;
    const writer = new EntityWriter(sql);
    const rolledBack: string[] = [];
    const remember = async () => {
      const { rows } = await sql.query<{ id: string }>(
        `select id from outbox where aggregateid like 'undone-%'`,
      );
      rolledBack.push(...rows.map(({ id }) => id));
    };
    await sql.query('begin');
    await writer.write('undone-whole');
    await remember();
    await sql.query('rollback');
    await sql.query('begin');
    await writer.write('kept');
    await sql.query('savepoint before');
    await writer.write('undone-savepoint');
    await writer.write('kept');
    await remember();
    await sql.query('rollback to savepoint before');
    await writer.write('kept');
    await sql.query('commit');
    await sql.query('begin');
    await writer.write('undone-prepared');
    await remember();
    await sql.query(`prepare transaction 'undone'`);
    await sql.query(`rollback prepared 'undone'`);

    const other = await pipeline.connect();
    await sql.query('begin');
    await other.query('begin');
    await writer.write('dead-a');
    await new EntityWriter(other).write('dead-b');
    const outcomes = await Promise.allSettled([
      writer.write('dead-b'),
      new EntityWriter(other).write('dead-a'),
    ]);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    await Promise.all([sql.query('commit'), other.query('commit')]);
    await other.end();

    await pipeline.caughtUp();
    expect(rolledBack).toHaveLength(3);
    const verdict = await judgePipeline(pipeline, { rolledBack });
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ committed: 4, records: 8, duplicates: 0 });
  });
});
