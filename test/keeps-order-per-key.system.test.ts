import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityWriter } from './support/entity-writer.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

/** I3: commit order per entity is version order, because version and outbox row are written under the entity's row lock. */
describe('order per key', () => {
  let stack: TestStack;
  beforeAll(async () => {
    // Each writer holds a connection of its own.
    stack = await startTestStack({
      postgres: { settings: { max_connections: '1100', shared_buffers: '256MB' } },
    });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('holds with 1,000 concurrent writers on 10 entities', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await EntityWriter.prepare(pipeline.sql);
    await pipeline.startRelay();
    const clients = await Promise.all(Array.from({ length: 1000 }, () => pipeline.connect()));
    await Promise.all(
      clients.map(async (client, index) => {
        const writer = new EntityWriter(client);
        for (let round = 0; round < 5; round += 1)
          await writer.write(`entity-${(index + round) % 10}`);
      }),
    );
    await Promise.all(clients.map((client) => client.end()));
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ committed: 5000, records: 10_000, duplicates: 0 });
  });
});
