import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

describe('a standby', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it.each(['kill', 'terminate'] as const)(
    'is ready, waits, and takes the slot when the active relay goes by %s',
    async (how) => {
      await using pipeline = await TestPipeline.create(stack);
      await EntityWriter.prepare(pipeline.sql);
      const writer = new EntityWriter(pipeline.sql);
      const active = await pipeline.startRelay();
      const standby = pipeline.launchRelay();
      await standby.reached('standby');
      await eventually(async () => (await standby.ready()).status === 'ready', {
        timeoutMs: 15_000,
      });
      for (let n = 0; n < 100; n += 1) await writer.write(`entity-${n % 10}`);
      await active[how]();
      for (let n = 0; n < 100; n += 1) await writer.write(`entity-${n % 10}`);
      await standby.reached('streaming');
      await pipeline.caughtUp();
      const verdict = await judgePipeline(pipeline, {
        allowedDuplicates: how === 'kill' ? 200 : 0,
      });
      expect(verdict.violations).toEqual([]);
      expect(verdict.committed).toBe(200);
    },
  );
});
