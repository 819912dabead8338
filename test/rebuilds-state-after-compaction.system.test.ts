import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { readTopics } from './support/read-topics.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** I4: order makes compaction safe; a reader that begins at offset 0 sees exactly the database. */
describe('the compacted topic', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ kafka: { settings: { 'log.cleaner.backoff.ms': '200' } } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('after a forced compaction, and a relay that was killed meanwhile, is the state of the database, deletions included', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    const topic = pipeline.topic('catalog.product');
    // Segments so small that all but the last few records are compacted.
    const { code } = await stack.kafka.tool('configs', [
      '--alter',
      '--entity-type',
      'topics',
      '--entity-name',
      topic,
      '--add-config',
      'segment.ms=100,min.cleanable.dirty.ratio=0.001,delete.retention.ms=600000',
    ]);
    expect(code).toBe(0);
    const writer = new EntityWriter(pipeline.sql);
    let relay = await pipeline.startRelay();
    for (let round = 0; round < 6; round += 1) {
      for (let n = 0; n < 200; n += 1)
        await writer.write(`entity-${n % 20}`, n % 20 === round && n > 150 ? 'D' : 'U');
      await pipeline.caughtUp();
      await relay.kill();
      relay = await pipeline.startRelay();
    }
    await pipeline.caughtUp();
    // Compacted when far fewer records are left than were written; the segments that are still open keep theirs.
    const records = async () => {
      let count = 0;
      await readTopics(stack.kafka.directBootstrap, [topic], () => (count += 1));
      return count;
    };
    await eventually(
      async () => {
        await writer.write('to-roll-the-segments');
        return (await records()) < 600;
      },
      { timeoutMs: 90_000, intervalMs: 500 },
    );
    await pipeline.caughtUp();
    const { rows } = await pipeline.sql.query<{ id: string; version: string; is_deleted: boolean }>(
      'select id, version, is_deleted from entity',
    );
    const verdict = await judgePipeline(pipeline, {
      compactedTopics: ['catalog.product'],
      finalRows: rows.map((row) => ({
        aggregateId: row.id,
        version: Number(row.version),
        isDeleted: row.is_deleted,
      })),
    });
    expect(verdict.violations).toEqual([]);
    expect(verdict.committed).toBeGreaterThan(1200);
  });
});
