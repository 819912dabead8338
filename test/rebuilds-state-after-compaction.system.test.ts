import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quickCleaner, raceCompaction } from './faults/compaction-race.ts';
import { finalRows } from './faults/matrix/under-load.ts';
import { EntityWriter } from './support/entity-writer.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** I4: order makes compaction safe; a reader that begins at offset 0 sees exactly the database. */
describe('the compacted topic', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ kafka: { settings: quickCleaner } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('after a forced compaction, and a relay that was killed meanwhile, is the state of the database, deletions included', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await raceCompaction(pipeline, { kills: 6 });
    const verdict = await judgePipeline(pipeline, {
      compactedTopics: ['catalog.product'],
      finalRows: await finalRows(pipeline),
    });
    expect(verdict.violations).toEqual([]);
    expect(verdict.committed).toBeGreaterThan(1200);
  });
});
