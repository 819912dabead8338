import { EntityWriter } from './entity-writer.ts';
import { eventually } from './eventually.ts';
import { readTopics } from './read-topics.ts';
import type { TestPipeline } from './test-pipeline.ts';

/** Written in every partition, so that the segments there are closed. */
const rollers = Array.from({ length: 40 }, (_, index) => `to-roll-the-segments-${index}`);

/**
 * Has Kafka compact the topic (its name without prefix) and comes back when it has, so that of a key little more than its last record is left. The broker
 * should be started with a short `log.cleaner.backoff.ms`. Writes events to close the segments; all of them are published when it comes back.
 * @returns the records that were there before and are now.
 */
export async function forceCompaction(
  pipeline: TestPipeline,
  name: string,
): Promise<{ readonly before: number; readonly after: number }> {
  const topic = pipeline.topic(name);
  const { kafka } = pipeline.stack;
  const { code, stderr } = await kafka.tool('configs', [
    '--alter',
    '--entity-type',
    'topics',
    '--entity-name',
    topic,
    '--add-config',
    'segment.ms=100,min.cleanable.dirty.ratio=0.001,delete.retention.ms=600000',
  ]);
  if (code !== 0) throw new Error(`the topic's settings could not be changed: ${stderr}`);
  const records = async () => {
    let count = 0;
    await readTopics(kafka.directBootstrap, [topic], () => (count += 1));
    return count;
  };
  const before = await records();
  const writer = new EntityWriter(pipeline.sql);
  let after = before;
  await eventually(
    async () => {
      for (const id of rollers) await writer.write(id);
      after = await records();
      return after < before / 4;
    },
    { timeoutMs: 180_000, intervalMs: 500 },
  );
  await pipeline.caughtUp();
  return { before, after };
}
