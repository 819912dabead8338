import { firstReservedEpoch } from '@outbound/kafka';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forceCompaction } from '../support/force-compaction.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { presetEpochs } from '../support/preset-epoch.ts';
import type { RelayProcess } from '../support/relay-process.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';
import { zombieRounds } from './zombie-rounds.ts';

/** Four are CI's share; `FENCE_ROUNDS=200` runs as many. */
const rounds = Number(process.env['FENCE_ROUNDS'] ?? 4);
/** `FENCE_EPOCHS=end`: the first relay that stands still has the last epoch that is written with, and its successor another producer id. */
const isAtTheEnd = process.env['FENCE_EPOCHS'] === 'end';

/** The id under which Kafka knows the relay's first session. */
async function producerIdOf(relay: RelayProcess): Promise<string> {
  const { producerId } = await relay.log('producer open, older ones fenced');
  expect(producerId).toMatch(/^\d+$/);
  return String(producerId);
}

/**
 * I3, I4: a relay that stood still while another took its slot wakes with batches ready to send. Behind a newer version, an old one
 * would be the last of its key for ever (trap 3.1-8; the fencing is 10e).
 */
describe('a relay that wakes up after its successor began', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({
      postgres: { settings: { wal_sender_timeout: '60s' } },
      kafka: { settings: { 'log.cleaner.backoff.ms': '200' } },
    });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it(`appends nothing stale, in ${rounds} rounds, waits as standby, and after a compaction each key has its newest`, async () => {
    await using pipeline = await TestPipeline.create(stack);
    let firstId: unknown;
    if (isAtTheEnd) {
      const first = await pipeline.startRelay();
      firstId = await producerIdOf(first);
      await first.terminate();
      await presetEpochs(stack.kafka, (transactionalId) =>
        transactionalId.startsWith('outbound-') ? firstReservedEpoch - 2 : undefined,
      );
    }
    const startedMs = performance.now();
    const times = await zombieRounds(pipeline, rounds, (round, ms) => {
      if (round % 20 === 19)
        console.log(`round ${round + 1}: taken over after ${Math.round(ms)} ms`);
    });
    const verdict = await judgePipeline(pipeline, { allowedDuplicates: rounds * 4000 });
    expect(verdict.violations).toEqual([]);

    const relay = await pipeline.startRelay();
    // Else the epochs had not ended, and nothing of this was tried.
    if (isAtTheEnd) expect(await producerIdOf(relay)).not.toBe(firstId);
    const { before, after } = await forceCompaction(pipeline, 'catalog.product');
    await relay.terminate();
    const { rows } = await pipeline.sql.query<{ id: string; version: string; is_deleted: boolean }>(
      'select id, version, is_deleted from entity',
    );
    const compacted = await judgePipeline(pipeline, {
      allowedDuplicates: rounds * 4000,
      compactedTopics: ['catalog.product'],
      finalRows: rows.map((row) => ({
        aggregateId: row.id,
        version: Number(row.version),
        isDeleted: row.is_deleted,
      })),
    });
    console.log(
      `${rounds} woken relays in ${Math.round((performance.now() - startedMs) / 1000)} s: events ${verdict.committed}, records ${verdict.records}, duplicates ${verdict.duplicates}, ` +
        `violations ${verdict.violations.length + compacted.violations.length}; taken over after ${Math.round(Math.max(...times))} ms at the most; compacted topic ${before} records before, ${after} after`,
    );
    expect(compacted.violations).toEqual([]);
  });
});
